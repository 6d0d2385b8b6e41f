"""The bot, a simulated Azure and Microsoft 365 Agents Playground together on one machine."""
