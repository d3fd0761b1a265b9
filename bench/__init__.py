"""How fast Callbook is: ratios against the limit of this machine in the same run. `make bench`; docs/benchmarks.md."""
