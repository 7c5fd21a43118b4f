"""TCIA, IDC and XNAT on loopback: for the demo, the tests and the benchmarks."""
