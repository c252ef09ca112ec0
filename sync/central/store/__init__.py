"""The database: transactions, the schema, and the news of what was committed."""
