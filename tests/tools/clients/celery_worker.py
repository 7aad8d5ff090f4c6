"""A Celery worker with this server as broker and result backend: `celery_worker.py PORT`, run by `interop`."""
import os
import subprocess
import sys

from celery import Celery, chain, group

# the worker imports this file as well, with words of its own
PORT = os.environ.get("INTEROP_PORT") or sys.argv[1]
app = Celery("interop", broker=f"redis://127.0.0.1:{PORT}/0", backend=f"redis://127.0.0.1:{PORT}/1")


@app.task(name="add")
def add(x, y):
    return x + y


@app.task(name="fails", bind=True, max_retries=1)
def fails(self):
    if self.request.retries == 0:
        raise self.retry(countdown=0)
    raise ValueError("as asked")


def play():
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "celery_worker", "worker", "--concurrency", "2", "--pool", "threads", "--loglevel", "WARNING"],
        cwd=os.path.dirname(os.path.abspath(__file__)),
        env={**os.environ, "INTEROP_PORT": PORT, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    try:
        assert add.delay(2, 3).get(timeout=60) == 5
        assert group(add.s(i, i) for i in range(50))().get(timeout=60) == [2 * i for i in range(50)]
        assert chain(add.s(1, 2), add.s(3), add.s(4))().get(timeout=60) == 10
        assert add.apply_async((1, 1), countdown=0.2).get(timeout=60) == 2
        try:
            fails.delay().get(timeout=60)
            raise SystemExit("a task that fails did not")
        except ValueError as error:
            assert str(error) == "as asked"
        assert app.control.ping(timeout=5), "the worker hears what is broadcast"
    finally:
        worker.terminate()
        worker.wait(timeout=60)


if __name__ == "__main__":
    play()
