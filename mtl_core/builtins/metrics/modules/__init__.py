"""The torchmetrics metrics that the library does not provide."""
