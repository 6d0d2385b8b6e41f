"""The HTTP framework of the simulated Resource Manager: routing, filters, paging, errors."""
