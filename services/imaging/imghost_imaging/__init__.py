"""The imaging service: validates originals, renders variants, delivers images."""
