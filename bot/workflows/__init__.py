"""The durable drivers: plain async functions over services and a row id, able to run twice."""
