"""Starts and stops a Bugsink on the loopback; see scripts/bugsink, which runs this with Bugsink's own Python."""

import argparse
import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HOST = "127.0.0.1"
EMAIL = "admin@example.org"
READY_SECONDS = 120
STOP_SECONDS = 10
PR_SET_PDEATHSIG = 1
# No proxy stands between us and the loopback, whatever the environment says.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# What Bugsink's own template for local use leaves open. It is appended to what `bugsink-create-conf` writes.
SETTINGS = """
BUGSINK.update(
    BASE_URL="{url}",
    PHONEHOME=False,
    INGEST_STORE_BASE_DIR="{folder}/ingestion",
)
DATABASES["default"]["NAME"] = "{folder}/db.sqlite3"
DATABASES["snappea"]["NAME"] = "{folder}/snappea.sqlite3"
"""


def main():
    arguments = parse()
    if arguments.command == "stop":
        return stop(arguments.folder.absolute())
    if arguments.command == "issues":
        return issues(arguments.folder.absolute())
    if arguments.command == "start":
        server, told = start(arguments.folder.absolute(), arguments.port)
        print(json.dumps(told), flush=True)
        return 0
    return run(arguments.folder, arguments.port)


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bugsink")
    commands = parser.add_subparsers(dest="command", required=True)
    for command, folders in [("start", None), ("stop", None), ("issues", None), ("run", "?")]:
        parsed = commands.add_parser(command)
        parsed.add_argument("folder", metavar="DIR", type=Path, nargs=folders)
        if command in ("start", "run"):
            parsed.add_argument("--port", type=int, default=0)
    return parser.parse_args()


def run(folder, port):
    """Serves until standard input ends: its other end is held by whoever wants the server, however that one ends."""
    is_temporary = folder is None
    folder = Path(tempfile.mkdtemp(prefix="lifeboat-bugsink-")) if is_temporary else folder.absolute()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = None
    try:
        server, told = start(folder, port, with_us=True)
        print(json.dumps(told), flush=True)
        while server.poll() is None:
            if select.select([sys.stdin], [], [], 1.0)[0] and not os.read(sys.stdin.fileno(), 4096):
                return 0
        return fail(f"the server ended by itself: {tail(folder)}")
    except KeyboardInterrupt:
        return 0
    finally:
        if server is not None:
            end(server.pid, server.poll)
        if is_temporary:
            shutil.rmtree(folder, ignore_errors=True)


def start(folder, port, with_us=False):
    """Makes the folder ready where it is new, starts the server and waits until it answers."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if living(folder):
        sys.exit(fail(f"one runs in {folder} already: scripts/bugsink stop {folder}"))
    # The port is taken here and handed on, so that nobody can be faster.
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    configure(folder, url)
    access = prepare(folder)
    server = serve(folder, listener, with_us)
    dsn = url.replace("//", f"//{access.pop('key')}@") + f"/{access.pop('project')}"
    told = {"url": url, **access, "dsn": dsn, "pid": server.pid, "dir": str(folder)}
    listener.close()
    try:
        wait_until_ready(url, server, folder)
    except BaseException:
        end(server.pid, server.poll)
        raise
    write(folder / "running.json", json.dumps({**told, "started": started(server.pid)}))
    return server, told


def configure(folder, url):
    """The configuration anew at each start: the port may be another one."""
    conf, secret = folder / "bugsink_conf.py", folder / "secret"
    conf.unlink(missing_ok=True)
    command = [Path(sys.executable).with_name("bugsink-create-conf"), "--template=local", f"--output-file={conf}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    text = conf.read_text()
    if not secret.exists():
        line = next(line for line in text.splitlines() if line.startswith("SECRET_KEY"))
        write(secret, line)
    write(conf, text + SETTINGS.format(url=url, folder=folder) + secret.read_text() + "\n")


def prepare(folder):
    """Databases, the one user, a token of the API and a first project. In a child: Django fills its process."""
    kept = folder / "access.json"
    if not kept.exists():
        child = subprocess.run(
            [sys.executable, __file__, "--prepare", str(folder)],
            cwd=folder, capture_output=True, text=True, timeout=READY_SECONDS,
        )
        if child.returncode != 0:
            sys.exit(fail(f"Bugsink's databases could not be made:\n{child.stderr}"))
    return json.loads(kept.read_text())


def prepare_here(folder):
    import django

    sys.path.insert(0, str(folder))
    os.environ["DJANGO_SETTINGS_MODULE"] = "bugsink_conf"
    django.setup()
    from bsmain.models import AuthToken
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from projects.models import Project
    from teams.models import Team

    call_command("migrate", verbosity=0)
    call_command("migrate", "snappea", database="snappea", verbosity=0)
    password = os.urandom(6).hex()
    get_user_model().objects.create_superuser(username=EMAIL, email=EMAIL, password=password)
    project = Project.objects.create(name="node", team=Team.objects.create(name="fleet"))
    access = {
        "token": AuthToken.create_full_access().token,
        "email": EMAIL,
        "password": password,
        "key": project.sentry_key.hex,
        "project": project.id,
    }
    write(folder / "access.json", json.dumps(access))


def serve(folder, listener, with_us):
    os.set_inheritable(listener.fileno(), True)
    command = [
        Path(sys.executable).with_name("gunicorn"), "--chdir", folder, f"--bind=fd://{listener.fileno()}",
        "--workers=2", "--no-control-socket", "--worker-tmp-dir=/dev/shm", "bugsink.wsgi",
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SENTRY_", "BUGSINK_"))}
    with open(folder / "server.log", "ab") as log:
        return subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
            pass_fds=[listener.fileno()], start_new_session=not with_us, preexec_fn=end_with_us if with_us else None,
        )


def end_with_us():
    """Should we be killed, the kernel ends the server. We have one thread, whose end the kernel takes for ours."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def wait_until_ready(url, server, folder):
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            sys.exit(fail(f"the server did not start: {tail(folder)}"))
        try:
            with OPENER.open(f"{url}/health/ready", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    sys.exit(fail(f"the server was not ready after {READY_SECONDS} s: {tail(folder)}"))


def stop(folder):
    pid = living(folder)
    if pid:
        end(pid, lambda: None if started(pid) else 0)
    (folder / "running.json").unlink(missing_ok=True)
    return 0


def issues(folder):
    if not living(folder):
        return fail(f"none runs in {folder}: scripts/bugsink start {folder}")
    told = json.loads((folder / "running.json").read_text())

    def ask(path):
        headers = {"Authorization": f"Bearer {told['token']}"}
        request = urllib.request.Request(f"{told['url']}/api/canonical/0/{path}", headers=headers)
        with OPENER.open(request, timeout=READY_SECONDS) as answer:
            return json.load(answer)["results"]

    for project in ask("projects/"):
        for issue in ask(f"issues/?project={project['id']}&order=asc"):
            title = ": ".join(filter(None, (issue["calculated_type"], issue["calculated_value"])))
            page = f"{told['url']}/issues/issue/{issue['id']}/event/last/"
            print(issue["digested_event_count"], title.replace("\t", " "), issue["transaction"] or "-", page, sep="\t")
    return 0


def end(pid, poll):
    """Ends the process and waits for it; one that does not go is killed, and its workers go by themselves."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        until = time.monotonic() + STOP_SECONDS
        while time.monotonic() < until:
            if poll() is not None:
                return
            time.sleep(0.02)


def living(folder):
    """The id of the server that runs in this folder, or nothing. A number that came back to somebody else is not it."""
    try:
        told = json.loads((folder / "running.json").read_text())
    except (OSError, ValueError):
        return None
    return told["pid"] if started(told["pid"]) == told["started"] else None


def started(pid):
    """When the process started, as the kernel counts; nothing of one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def write(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def tail(folder):
    try:
        return (folder / "server.log").read_text()[-2000:]
    except OSError:
        return "it said nothing"


def fail(sentence):
    print(f"bugsink: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--prepare"]:
        prepare_here(Path(sys.argv[2]))
    else:
        sys.exit(main())
