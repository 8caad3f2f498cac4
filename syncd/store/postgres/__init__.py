"""The stores of many connections in one PostgreSQL: the only door to psycopg, and only opened for a fleet."""
