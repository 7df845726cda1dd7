"""From folders of images to records: names, splits, recipe, encoding."""
