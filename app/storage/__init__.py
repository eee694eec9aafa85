"""The database: engine, tables, housekeeping."""
