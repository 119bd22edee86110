"""What the small project of the drills consists of."""

WORK = """
import fcntl, os, sys, time
from pathlib import Path
journal = Path("journal.txt").open("a")
lock = Path("writer.lock").open("w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("two writers", file=journal, flush=True)
Path("stage.pid").write_text(str(os.getpid()))
Path("parts").mkdir(exist_ok=True)
for n in range(int(sys.argv[1])):
    part = Path(f"parts/{n}")
    if not part.exists():
        time.sleep(float(sys.argv[2]))
        part.with_suffix(".new").write_bytes(bytes([n]) * 100_000)
        os.replace(part.with_suffix(".new"), part)
        print(f"part {n}", file=journal, flush=True)
"""
STAGES = """
stages:
  parts:
    cmd: {python} work.py {n} {seconds}
    deps: [input.txt]
    meta: {{gpu: true, hours: 1, retries: 1}}
    outs: [parts: {{persist: true}}]
  whole:
    cmd: cat parts/* > whole.bin
    deps: [parts]
    outs: [whole.bin]
"""
FLOW = """
from prefect import flow
from flows import lateness, services, slots, stages
from flows.alone import alone

stages.BACK_OFF_S, slots.LEASE_S = 1.0, 60.0

@flow(name="{name}", result_serializer="json")
def {name}() -> list[str]:
    with alone("{name}"):
        lateness.cancel_missed()
        made = stages.bring([])
        services.push()
    return made

if __name__ == "__main__":
    {name}()
"""
DEPLOYMENTS = """
name: drill
pull:
  - prefect.deployments.steps.run_shell_script:
      script: python -m flows.checkout
      directory: "{{{{ $DDA_CHECKOUT }}}}"
  - prefect.deployments.steps.set_working_directory:
      directory: "{{{{ $DDA_CHECKOUT }}}}"
deployments:
  - name: one
    entrypoint: first.py:first
    work_pool: {{name: gpu, job_variables: {{stream_output: false}}}}
    concurrency_limit: {{limit: 1, collision_strategy: CANCEL_NEW}}
    {schedule}
  - name: one
    entrypoint: second.py:second
    work_pool: {{name: gpu, job_variables: {{stream_output: false}}}}
    concurrency_limit: {{limit: 1, collision_strategy: CANCEL_NEW}}
"""
