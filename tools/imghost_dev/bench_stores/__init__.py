"""Two clients of an S3 compared: the product's (`minio`) and `obstore`. ADR 0015 has the decision.

`main` measures and prints; `worker` is the process that is measured; `fault_proxy` and `faults` make a store fail.
"""
