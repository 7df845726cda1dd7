"""The run of any model: settings and data in, a run folder out."""
