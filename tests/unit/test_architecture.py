"""The rules of the house, read from the source text: who imports whom, how long things are, what is never done."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("app", "model", "training", "benchmarks", "scripts", "migrations", "client")
OURS = frozenset(("app", "model", "training", "benchmarks", "scripts", "migrations", "traghetto_client", "tests"))
MAY_IMPORT = {
    "model": {"model"},
    "training": {"training", "model"},
    "app": {"app", "model"},
    "benchmarks": {"benchmarks", "app", "model", "training"},
    "scripts": {"scripts", "training", "model"},
    "migrations": {"app"},
    "client": {"traghetto_client"},
}
FRONT_DOOR = ("app/cli.py", "app/commands/")
"""Where `training` may be imported, inside functions only."""
FLOORS = {
    "app": (
        "cli", "commands", "cluster", "corpora", "serve", "main", "http", "retraining", "versions", "corrections",
        "translating", "access engine memory", "storage", "settings", "background", "setting_values",
        "errors languages logs metrics ray_environment scopes timers traces",
    ),
    "model": (
        "translator", "part_search", "branches ensemble reading repair sentences", "markup", "routes", "torch_search",
        "versions", "kernels", "network", "search", "text",
        "translation", "batches config", "errors",
    ),
}  # fmt: skip
"""From the top of the house down: each imports only those below it. Rooms on one floor do not know each other."""
MAX_FILES = 15
"""Of one folder, `__init__.py` aside."""
MODEL_LIBRARIES = {"torch", "sentencepiece", "safetensors", "numpy"}
TRAINING_LIBRARIES = MODEL_LIBRARIES | {"sacrebleu", "rich"}
CLIENT_LIBRARIES = {"httpx"}
MODEL_INSIDE_FUNCTIONS = {"sentencex", "pyromark"}
TRAINING_INSIDE_FUNCTIONS = {"matplotlib"}
MAX_FILE_LINES, MAX_TEST_FILE_LINES = 300, 500
MAX_FUNCTION_LINES, MAX_LOOP_LINES = 40, 60
TRAINING_LOOP = "training/run/loop.py"
PICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def _files(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _imports(tree: ast.AST, *, inside_function: bool = False) -> Iterator[tuple[str, int, bool]]:
    """(dotted module, line, whether it runs only when a function is called); `if TYPE_CHECKING` counts as never run."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, inside_function) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import; the rules here read absolute ones"
            yield node.module or "", node.lineno, inside_function
        else:
            deeper = (
                inside_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _is_type_checking(node)
            )
            yield from _imports(node, inside_function=deeper)


def _top(module: str) -> str:
    return module.partition(".")[0]


def _report(problems: list[str]) -> None:
    assert not problems, "\n" + "\n".join(problems)


def test_imports_point_one_way() -> None:
    problems = []
    for path in _files(*PACKAGES):
        name = _name(path)
        allowed = MAY_IMPORT[_top(name.replace("/", "."))]
        for module, line, inside in _imports(_tree(path)):
            through_front_door = _top(module) == "training" and name.startswith(FRONT_DOOR) and inside
            if _top(module) in OURS - allowed and not through_front_door:
                problems.append(f"{name}:{line} imports {module}")
    _report(problems)


def _climbs(package: str, room: str, imported: str) -> bool:
    """Whether `room`, which imports the room `imported`, does not stand above it."""
    heights = {name: -floor for floor, names in enumerate(FLOORS[package]) for name in names.split()}
    return room != imported and heights[room] <= heights[imported]


@pytest.mark.parametrize("package", FLOORS)
def test_each_floor_imports_only_those_below(package: str) -> None:
    """Also in functions and for types: who needs a name from above has the arrow the wrong way round."""
    problems = []
    for path in _files(package):
        rooms = _name(path).removesuffix(".py").split("/")
        for module, line, _ in _imports(_tree(path)):
            parts = module.split(".")
            if (
                parts[0] == package
                and rooms[1] != "__init__"
                and len(parts) > 1
                and _climbs(package, rooms[1], parts[1])
            ):
                problems.append(f"{_name(path)}:{line} imports {module}, which is not below it")
    _report(problems)


@pytest.mark.parametrize(
    ("room", "imported", "climbs"),
    [
        ("http", "corrections", False),
        ("corrections", "http", True),
        ("engine", "engine", False),
        ("engine", "memory", True),
        ("settings", "storage", True),
    ],
)
def test_what_climbs(room: str, imported: str, climbs: bool) -> None:
    assert _climbs("app", room, imported) is climbs


def test_every_room_has_a_floor() -> None:
    for package, floors in FLOORS.items():
        known = {name for names in floors for name in names.split()}
        rooms = {_name(path).removesuffix(".py").split("/")[1] for path in _files(package)} - {"__init__"}
        assert rooms == known, f"{package}: FLOORS in this file and the folders differ"


def test_imports_of_files_go_round_nowhere() -> None:
    """Not even through imports in functions or for types only."""
    files = _files("app", "model", "training", "client")
    names = {_module(path) for path in files}
    needs = {_module(path): sorted(_needed(path, names)) for path in files}
    graphlib.TopologicalSorter(needs).prepare()  # raises with the circle in its text


def _module(path: Path) -> str:
    return _name(path).removeprefix("client/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _needed(path: Path, names: set[str]) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module in names:
            parts = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (part if part in names else node.module for part in parts)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)


def test_folders_stay_small() -> None:
    """A folder is a room with one subject."""
    folders = Counter(path.parent for path in _files(*PACKAGES, "tests") if path.name != "__init__.py")
    _report([f"{_name(folder)} holds {count} files" for folder, count in folders.items() if count > MAX_FILES])


@pytest.mark.parametrize(
    ("package", "always", "in_functions"),
    [
        ("model", MODEL_LIBRARIES, MODEL_INSIDE_FUNCTIONS),
        ("training", TRAINING_LIBRARIES, TRAINING_INSIDE_FUNCTIONS),
        ("client", CLIENT_LIBRARIES, set()),
    ],
)
def test_package_needs_only_its_libraries(package: str, always: set[str], in_functions: set[str]) -> None:
    problems = []
    for path in _files(package):
        for module, line, inside in _imports(_tree(path)):
            known = OURS | always | sys.stdlib_module_names | (in_functions if inside else set())
            if _top(module) not in known:
                problems.append(f"{_name(path)}:{line} imports {module}")
    _report(problems)


PARTS = {"pydantic_core": "pydantic"}
"""Import name -> the distribution that it belongs to in all but name: the two are released and pinned together."""


def _normal(distribution: str) -> str:
    return distribution.replace("_", "-").lower()


def _declared(requirements: list[str]) -> set[str]:
    """Distribution names of requirement lines such as `psycopg[binary]>=3.2; marker`."""
    ends = "[<>=!~; "
    return {_normal(next((line[:i] for i, sign in enumerate(line) if sign in ends), line)) for line in requirements}


@pytest.mark.parametrize("package", ["model", "training", "app", "migrations"])
def test_imported_libraries_are_declared(package: str) -> None:
    """What the program imports is a dependency by itself, not the guest of another library.

    It may be of the extra `cluster` where it is imported only when somebody asks for it.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    always = _declared(project["dependencies"])
    asked_for = always | _declared(project["optional-dependencies"]["cluster"])
    distributions = metadata.packages_distributions()
    problems = []
    for path in _files(package):
        for module, line, inside in _imports(_tree(path)):
            top = _top(module)
            if top in OURS or top in sys.stdlib_module_names:
                continue
            found = {_normal(name) for name in distributions.get(PARTS.get(top, top), [top])}
            if not (asked_for if inside else always) & found:
                problems.append(f"{_name(path)}:{line} imports {module}, which pyproject.toml does not declare")
    _report(problems)


def test_every_declared_library_is_pinned() -> None:
    """`make` installs with constraints.txt; what it does not name is whatever was released last."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = _declared(project["dependencies"]).union(*map(_declared, project["optional-dependencies"].values()))
    wanted.discard(project["name"])  # extras name others of ours
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.partition("#")[0].strip() for line in lines if line.partition("#")[0].strip()]
    _report([f"constraints.txt: {pin!r} is not an exact pin" for pin in pins if "==" not in pin])
    _report([f"constraints.txt does not pin {name}" for name in sorted(wanted - _declared(pins))])


def test_libraries_do_not_print() -> None:
    """Output belongs to the commands; a library that prints breaks `one line in, one line out`."""
    problems = []
    for path in _files("model", "training", "app"):
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "pprint"):
                problems.append(f"{_name(path)}:{node.lineno} prints")
    _report(problems)


def test_files_stay_small() -> None:
    problems = []
    limits = dict.fromkeys(PACKAGES, MAX_FILE_LINES) | {"tests": MAX_TEST_FILE_LINES}
    for package, limit in limits.items():
        for path in _files(package):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > limit:
                problems.append(f"{_name(path)} has {lines} lines, more than {limit}")
    _report(problems)


def test_functions_stay_small() -> None:
    problems = []
    for path in _files(*PACKAGES):
        limit = MAX_LOOP_LINES if _name(path) == TRAINING_LOOP else MAX_FUNCTION_LINES
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > limit:
                    problems.append(f"{_name(path)}:{node.lineno} {node.name} has {length} lines, more than {limit}")
    _report(problems)


def test_nothing_is_unpickled() -> None:
    """A model file from somebody else must not be able to run code here."""
    problems = []
    for path in _files("model", "app", "training"):
        tree = _tree(path)
        problems += [
            f"{_name(path)}:{line} imports {module}" for module, line, _ in _imports(tree) if _top(module) in PICKLING
        ]
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in (
                "torch.load",
                "torch.save",
                "np.load",
                "numpy.load",
            ):
                problems.append(f"{_name(path)}:{node.lineno} uses {ast.unparse(node)}")
    _report(problems)


IMPORT_ALL = """
import importlib, os, sys, threading
before = set(os.environ.items()), os.listdir("."), threading.active_count()
for name in sys.argv[1:]:
    importlib.import_module(name)
after = set(os.environ.items()), os.listdir("."), threading.active_count()
assert before == after, f"importing changed {before} to {after}"
loaded = sorted(name for name in sys.modules if name.partition(".")[0] == "training")
assert not loaded, f"importing the server loaded {loaded}"
"""


def _modules(package: str) -> list[str]:
    names = (_name(path).removesuffix(".py").removesuffix("/__init__") for path in _files(package))
    return [name.replace("/", ".") for name in names]


def test_importing_does_nothing(tmp_path: Path) -> None:
    """No thread, no file, no environment variable, and never the trainer."""
    command = [sys.executable, "-W", "error", "-c", IMPORT_ALL, *_modules("model"), *_modules("app")]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    assert (result.stdout, result.stderr) == ("", ""), "importing wrote something"


@pytest.mark.parametrize(
    ("imported", "heavy"),
    [
        ("app.cli", "torch fastapi sqlalchemy numpy training"),
        ("model.translator, app.versions.store, app.settings", "torch fastapi sqlalchemy training"),
        ("app.serve, model.translator", "torch training"),
    ],
    ids=["help", "translate", "serve"],
)
def test_what_starts_often_starts_quickly(tmp_path: Path, imported: str, heavy: str) -> None:
    """`traghetto --help`, `translate` and `serve` load nothing that they do not need, before it is needed."""
    code = f"import sys, {imported}; sys.exit(' '.join(set({heavy!r}.split()) & set(sys.modules)) or 0)"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, f"{imported} loads {result.stderr[-2000:]}"
