"""The ledger of reads: the truth of what was read, its agreement with the answers, and the training export."""
