"""The transfer of a plan: workers side by side, the scheduler that decides, and the ledger."""
