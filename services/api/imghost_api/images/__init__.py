"""Images: upload and library. This level has what the two share."""
