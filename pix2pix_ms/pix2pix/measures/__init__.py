"""What generated images are compared by: distances, colours, segmentation, KID."""
