"""What the benches measure with: CPU and memory of processes out of /proc, one psql connection kept open that samples cheaply, tables,
and a plot as SVG."""
import os
import subprocess
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")


def cpu(pid):
    """Seconds of a process, those of its threads that have ended included."""
    fields = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def server_cpu(parent):
    """Of a server and its children, those that have ended included."""
    while True:
        try:
            fields = open("/proc/%d/stat" % parent).read().rsplit(")", 1)[1].split()
            children = open("/proc/%d/task/%d/children" % (parent, parent)).read().split()
            return sum(int(f) for f in fields[11:15]) / TICKS + sum(cpu(int(c)) for c in children)
        except FileNotFoundError:                           # a child ended meanwhile: its time is its parent's now
            pass


def memory(pid, name):
    """Megabytes: VmHWM is the peak, VmRSS what is resident now."""
    for line in open("/proc/%d/status" % pid):
        if line.startswith(name):
            return int(line.split()[1]) / 1024


class Session:
    """One psql kept open: a question costs PostgreSQL a fraction of a millisecond, and no process is started for it."""

    def __init__(self, url):
        self.process = subprocess.Popen(["psql", url, "-XqAt", "-F", "\t", "-v", "ON_ERROR_STOP=1"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        self.backend = int(self.rows("select pg_backend_pid()")[0][0])

    def rows(self, sql):
        self.process.stdin.write(sql + ";\n\\echo =\n")
        self.process.stdin.flush()
        rows = []
        while True:
            line = self.process.stdout.readline()
            if line == "=\n":
                return rows
            if line == "":
                raise RuntimeError("psql ended at: " + sql)
            rows.append(line.rstrip("\n").split("\t"))

    def cpu(self):
        return cpu(self.backend)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


# What a writing connection's backend does: works, waits for the consumer, for the disk, or for something else.
DOING = """select count(*) filter (where wait_event is null), count(*) filter (where wait_event = 'ClientRead'),
    count(*) filter (where wait_event_type = 'IO'), count(*)
    from pg_stat_activity where application_name = 'logmill-consumer'"""


class Sampler(threading.Thread):
    """Watches positions every `every` seconds until stop(), and what the backends do every fourth time: a look at them costs half a
    millisecond, and what is measured has the same two cores."""

    def __init__(self, session, sql, every=0.02, doing=True):
        super().__init__(daemon=True)
        self.session, self.every, self.sql, self.doing = session, every, sql, doing
        self.seen = []                                      # (time, row of `sql`)
        self.working = self.client = self.disk = self.all = 0
        self.stopping = False
        self.error = None

    def run(self):
        try:
            while not self.stopping:
                row = self.session.rows(self.sql)[0]
                self.seen.append((time.monotonic(), row))
                if self.doing and len(self.seen) % 4 == 0:
                    n = [int(v) for v in self.session.rows(DOING)[0]]
                    if 0 < int(row[0]):                     # from the first commit on
                        self.working, self.client, self.disk, self.all = (
                            self.working + n[0], self.client + n[1], self.disk + n[2], self.all + n[3])
                time.sleep(self.every)
        except Exception as e:                              # told by wait_for
            self.error = e

    def wait_for(self, value, seconds, alive):
        """Until the first column of `sql` is `value`; `alive()` is false when nobody works on it any more."""
        end = time.monotonic() + seconds
        while not (self.seen and int(self.seen[-1][1][0]) >= value):
            if self.error or time.monotonic() > end or not alive():
                raise AssertionError("stopped at %s of %d: %s" % (self.seen[-1:] or "nothing", value, self.error))
            time.sleep(self.every)

    def stop(self):
        self.stopping = True
        self.join()


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * q))]


def number(value):
    if not isinstance(value, float):
        return str(value)
    if value != value:
        return "–"
    return "%.0f" % value if abs(value) >= 100 else "%.1f" % value if abs(value) >= 10 else "%.2f" % value


def table(title, columns, rows, file=None):
    """A Markdown table, padded so that it reads on a terminal too; also into `file`."""
    cells = [list(columns)] + [[number(v) for v in row] for row in rows]
    width = [max(len(r[i]) for r in cells) for i in range(len(columns))]
    lines = ["", title, ""]
    for i, row in enumerate(cells):
        lines.append("| " + " | ".join(c.ljust(w) if k == 0 else c.rjust(w) for k, (c, w) in enumerate(zip(row, width))) + " |")
        if i == 0:
            lines.append("|" + "|".join("-" * (w + 2) if k == 0 else "-" * (w + 1) + ":" for k, w in enumerate(width)) + "|")
    text = "\n".join(lines)
    print(text, flush=True)
    if file:
        with open(file, "a") as f:
            f.write(text + "\n")


COLOURS = ("#1f6feb", "#d9480f", "#2b8a3e", "#862e9c")


def plot(path, title, x_label, y_label, xs, lines):
    """`lines`: {name: one value for each of xs}. An SVG with axes from 0."""
    width, height, left, right, top, bottom = 640, 380, 70, 20, 40, 50
    highest = max(v for values in lines.values() for v in values) * 1.1
    x_of = {x: left + (width - left - right) * i / max(len(xs) - 1, 1) for i, x in enumerate(xs)}

    def y_of(v):
        return height - bottom - (height - top - bottom) * v / highest
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' % (width, height),
           '<rect width="100%" height="100%" fill="white"/>', '<text x="%d" y="22" font-size="15">%s</text>' % (left, title)]
    for i in range(6):
        v = highest * i / 5
        out.append('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/>' % (left, width - right, y_of(v), y_of(v)))
        out.append('<text x="%d" y="%.1f" text-anchor="end">%s</text>' % (left - 6, y_of(v) + 4, "{:,.0f}".format(v)))
    for x in xs:
        out.append('<text x="%.1f" y="%d" text-anchor="middle">%s</text>' % (x_of[x], height - bottom + 18, x))
    out.append('<text x="%d" y="%d" text-anchor="middle">%s</text>' % ((left + width) // 2, height - 10, x_label))
    out.append('<text transform="translate(14 %d) rotate(-90)" text-anchor="middle">%s</text>' % (height // 2, y_label))
    for i, (name, values) in enumerate(lines.items()):
        colour = COLOURS[i % len(COLOURS)]
        points = " ".join("%.1f,%.1f" % (x_of[x], y_of(v)) for x, v in zip(xs, values))
        out.append('<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>' % (colour, points))
        out += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (x_of[x], y_of(v), colour) for x, v in zip(xs, values)]
        out.append('<text x="%d" y="%d" fill="%s">%s</text>' % (left + 12, top + 14 + 16 * i, colour, name))
    with open(path, "w") as f:
        f.write("\n".join(out + ["</svg>", ""]))
