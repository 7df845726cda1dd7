"""The paper's networks and the layers they are built of."""
