"""What is wrong with a data set: `run.check` looks at manifests and their crops, and gives findings."""
