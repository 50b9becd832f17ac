"""The imaging service: judges originals, makes variants, delivers images."""
