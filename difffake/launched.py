"""Whether torchrun or srun started this process with others. It needs no torch."""

import os


def launched() -> dict[str, str] | None:
    """Rank, number of ranks and address of rank 0 as torch's environment variables; None for a single process.

    In a SLURM batch script, only srun starts several processes. So srun's own variable is read, not SLURM_NTASKS.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        found = {name: os.environ[name] for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")}
    elif "SLURM_STEP_NUM_TASKS" in os.environ and "SLURM_PROCID" in os.environ:
        from lightning.fabric.plugins.environments import SLURMEnvironment

        nodes = os.environ.get("SLURM_STEP_NODELIST", os.environ.get("SLURM_NODELIST", "127.0.0.1"))
        found = {
            "RANK": os.environ["SLURM_PROCID"],
            "WORLD_SIZE": os.environ["SLURM_STEP_NUM_TASKS"],
            "LOCAL_RANK": os.environ["SLURM_LOCALID"],
            "MASTER_ADDR": SLURMEnvironment.resolve_root_node_address(nodes),
            # Jobs on the same node have different ids, so they get different ports.
            "MASTER_PORT": str(15000 + int(os.environ["SLURM_JOB_ID"]) % 10000),
        }
    else:
        return None
    return found if int(found["WORLD_SIZE"]) > 1 else None
