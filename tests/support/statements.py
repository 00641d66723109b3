"""Which SQL a program can come to run: what its entry reaches in the source, followed from name to name.

By names and not by types: a method counts as called where anything that is reached has an attribute of its name. So it
finds rather too much than too little.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lifecycle.stack.layout import project_root

Symbol = tuple[str, str]
"""A module and a name at its top level."""

_BEGINS = re.compile(r"\s*(--[^\n]*\n\s*)*(select|insert into|update|delete from|with)\b", re.IGNORECASE)
_GOES_ON = re.compile(r"\b(select|set|into|from)\b")


@dataclass(frozen=True)
class _Module:
    path: Path
    symbols: Mapping[str, ast.stmt]
    imported: Mapping[str, tuple[str, str | None]]

    def statement(self, word: str) -> str | None:
        """The text of a file of SQL that a word names, of those beside this module."""
        for folder in (self.path.parent, self.path.parent / "sql"):
            file = folder / f"{word}.sql"
            if word and file.is_file():
                return file.read_text(encoding="utf-8")
        return None


@cache
def modules() -> Mapping[str, _Module]:
    """Every module of the product."""
    root = project_root()
    paths = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for top in ("services", "shared", "lifecycle")
        for path in (root / top).rglob("*.py")
    }
    return {name: _read(path, paths.keys()) for name, path in paths.items()}


def statements(entries: Iterable[Symbol], *, never: frozenset[Symbol] = frozenset()) -> list[str]:
    """The SQL that is reached from these symbols, but not by way of `never`."""
    walk = _Walk(never)
    walk.reach(entries)
    return sorted(walk.found)


def functions_of(package: str, *, but: Iterable[str] = ()) -> list[Symbol]:
    """Every name at the top level of a package's modules, as entries."""
    return [
        (name, symbol)
        for name, module in modules().items()
        if name.startswith(f"{package}.") and name.rpartition(".")[2] not in but
        for symbol in module.symbols
    ]


class _Walk:
    def __init__(self, never: frozenset[Symbol]) -> None:
        self.found: set[str] = set()
        self._seen = set(never)
        self._attributes: set[str] = set()
        self._parts: set[int] = set()
        self._methods: list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]] = []
        self._todo: list[Symbol] = []

    def reach(self, entries: Iterable[Symbol]) -> None:
        self._todo += entries
        while self._todo or self._called():
            while self._todo:
                self._enter(self._todo.pop())

    def _called(self) -> bool:
        """Enter the methods that have come to be called; whether there were any."""
        called = [each for each in self._methods if each[1].name in self._attributes or each[1].name.startswith("__")]
        self._methods = [each for each in self._methods if each not in called]
        for module, method in called:
            self._look(module, method)
        return bool(called)

    def _enter(self, symbol: Symbol) -> None:
        module, name = symbol
        known = modules().get(module)
        if symbol in self._seen or known is None:
            return
        self._seen.add(symbol)
        node = known.symbols.get(name)
        if isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
                    self._methods.append((module, part))
                else:
                    self._look(module, part)
            for base in node.bases:
                self._look(module, base)
        elif node is not None:
            self._look(module, node)
        elif (source := known.imported.get(name)) and source[1]:
            self._todo.append((source[0], source[1]))

    def _look(self, module: str, node: ast.AST) -> None:
        known = modules()[module]
        for each in ast.walk(node):
            match each:
                case ast.JoinedStr(values=parts):
                    # What is put together is no statement before it is.
                    self._parts.update(map(id, parts))
                case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in known.imported:
                    self._attributes.add(name)
                    source, symbol = known.imported[owner]
                    self._todo.append((source, symbol or name))
                case ast.Attribute(attr=name):
                    self._attributes.add(name)
                case ast.Name(id=name) if name in known.symbols or name in known.imported:
                    self._todo.append((module, name))
                case ast.Constant(value=str(text)) if id(each) not in self._parts:
                    self._take(known, text)
                case _:
                    pass

    def _take(self, module: _Module, text: str) -> None:
        if text.isidentifier():
            text = module.statement(text) or ""
        if _BEGINS.match(text) and _GOES_ON.search(text):
            self.found.add(text)


def _read(path: Path, names: Iterable[str]) -> _Module:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    symbols: dict[str, ast.stmt] = {}
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                symbols[name] = node
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                symbols[name] = node
            case _:
                pass
    imported: dict[str, tuple[str, str | None]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                known = (whole, None) if whole in names else (node.module, alias.name)
                imported[alias.asname or alias.name] = known
    return _Module(path, symbols, imported)
