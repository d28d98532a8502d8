"""A linked Thumb program as its disassembly shows it: functions, and who calls whom."""

import dataclasses
import re
import subprocess

FUNCTION = re.compile(r"^([0-9a-f]+) <(.+)>:$")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)\s*(.*)$")
TARGET = re.compile(r"\b0x([0-9a-f]+) <")
# What branches without coming back here, when it leaves the function; `bl` is the one that does.
BRANCH = re.compile(r"^(b[a-z]{0,2}(\.w|\.n)?|cbn?z)$")
RETURNS = re.compile(r"^(bx[a-z]{0,2}\s+lr|(pop|ldm|ldmia)[a-z.]*\s.*\bpc\b|ldr[a-z.]*\s+pc)")
# A legacy symbol's hash tells copies apart and people nothing.
HASH = re.compile(r"::h[0-9a-f]{16}$")


@dataclasses.dataclass
class Function:
    name: str
    address: int
    # (address of the instruction, address of the function it goes to)
    calls: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    # Addresses of the instructions that call through a register.
    indirect_calls: list[int] = dataclasses.field(default_factory=list)
    returns: bool = False


def read(path: str) -> dict[int, Function]:
    """All functions, by address."""
    text = run("llvm-objdump", "--disassemble", "--demangle", "--no-show-raw-insn", path)
    functions: dict[int, Function] = {}
    # (caller, address, whether it is a branch and not a call, target)
    branches: list[tuple[Function, int, bool, int]] = []
    function = None
    for line in text.splitlines():
        if match := FUNCTION.match(line):
            function = Function(HASH.sub("", match[2]), int(match[1], 16))
            functions[function.address] = function
        elif function and (match := INSTRUCTION.match(line)):
            address, name = int(match[1], 16), match[2]
            function.returns |= bool(RETURNS.match(f"{name} {match[3]}"))
            if name == "blx" or (name == "bx" and match[3].strip() != "lr"):
                function.indirect_calls.append(address)
            elif (name == "bl" or BRANCH.match(name)) and (target := TARGET.search(match[3])):
                branches.append((function, address, name != "bl", int(target[1], 16)))
    for function, address, is_branch, target in branches:
        # A branch to another function's start is a tail call; one to its own start is a loop.
        if target in functions and not (is_branch and target == function.address):
            function.calls.append((address, target))
    return functions


def places(path: str, addresses: list[int]) -> list[list[tuple[str, str]]]:
    """For each address (function, file:line) of the source, from the innermost inlined call outwards."""
    if not addresses:
        return []
    text = run(
        "llvm-symbolizer",
        f"--obj={path}",
        "--inlines",
        "--demangle",
        *(hex(address) for address in addresses),
    )
    chains = []
    for block in text.strip().split("\n\n"):
        lines = block.splitlines()
        chains.append(
            [
                (HASH.sub("", name), place.rsplit(":", 1)[0])
                for name, place in zip(lines[::2], lines[1::2])
            ]
        )
    return chains


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
