"""What `training` trains: a model together with its data, one file for each kind of data."""
