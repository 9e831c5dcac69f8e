"""The network: front end, backbone, pooling, readouts."""
