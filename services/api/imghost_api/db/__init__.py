"""The database: its tables, the way to them and the migrations."""
