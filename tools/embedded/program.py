"""A linked Thumb program as its disassembly shows it: functions, their stack, and who calls whom."""

import dataclasses
import re
import subprocess

FUNCTION = re.compile(r"^([0-9a-f]+) <(.+)>:$")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)\s*(.*)$")
TARGET = re.compile(r"\b0x([0-9a-f]+) <")
# What comes back here, whether it is always done or only if a condition holds.
CALL = re.compile(r"^blx?(?:eq|ne|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?(?:\.[nw])?(?:\s|$)")
# What branches without coming back here, when it leaves the function; `bl` is the one that does.
BRANCH = re.compile(r"^(b[a-z]{0,2}(\.w|\.n)?|cbn?z)$")
RETURNS = re.compile(r"^(bx[a-z]{0,2}\s+lr|(pop|ldm|ldmia)[a-z.]*\s.*\bpc\b|ldr[a-z.]*\s+pc)")
# A symbol's hash tells copies apart and people nothing.
HASH = re.compile(r"::h[0-9a-f]{16}$")
STACK_ENTRY = re.compile(r"Functions: \[(.*)\]\s+Size: (0x[0-9A-F]+)")
# How much a prologue takes off the stack pointer.
PUSH = re.compile(r"^(push|stmdb\s+sp!)[a-z.]*\s.*\{(.*)\}")
SUBTRACT = re.compile(r"^sub[a-z.]*\s+sp,(?:\s*sp,)?\s*#(\d+)")


@dataclasses.dataclass
class Function:
    symbol: str
    name: str
    address: int
    # (address of the instruction, address of the function it goes to)
    calls: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    # Instructions that call through a register: `indirect` says where they may go.
    indirect_calls: int = 0
    # (address, text) of all instructions and of the constants behind them.
    code: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    returns: bool = False
    # Bytes of stack, as the prologue has it; `stack_sizes` knows better.
    frame: int = 0


def read(path: str) -> dict[int, Function]:
    """All functions, by address, with the calls that name what they call."""
    text = run("llvm-objdump", "--disassemble", "--no-show-raw-insn", path)
    # Names like `$t` and `$d` mark code and data inside a function.
    symbols = [match[2] for line in text.splitlines() if (match := FUNCTION.match(line))]
    names = dict(zip(symbols, run("llvm-cxxfilt", stdin="\n".join(symbols)).splitlines()))
    functions: dict[int, Function] = {}
    # (caller, address, whether it is a branch and not a call, target)
    branches: list[tuple[Function, int, bool, int]] = []
    function = None
    for line in text.splitlines():
        if (match := FUNCTION.match(line)) and not match[2].startswith("$"):
            symbol = match[2]
            function = Function(symbol, HASH.sub("", names[symbol]), int(match[1], 16))
            functions[function.address] = function
        elif function and (match := INSTRUCTION.match(line)):
            address, name = int(match[1], 16), match[2]
            text_of_it = f"{name} {match[3]}"
            function.code.append((address, text_of_it))
            function.returns |= bool(RETURNS.match(text_of_it))
            function.frame += stack_taken(text_of_it)
            calls = bool(CALL.match(name))
            if name.startswith(("blx", "bx")) and match[3].strip() != "lr":
                function.indirect_calls += 1
            elif (calls or BRANCH.match(name)) and (target := TARGET.search(match[3])):
                branches.append((function, address, not calls, int(target[1], 16)))
    for function, address, is_branch, target in branches:
        # A branch to another function's start is a tail call; one to its own start is a loop.
        if target in functions and not (is_branch and target == function.address):
            function.calls.append((address, target))
    return functions


def stack_taken(instruction: str) -> int:
    if push := PUSH.match(instruction):
        return 4 * len(push[2].split(","))
    if subtract := SUBTRACT.match(instruction):
        return int(subtract[1])
    return 0


def stack_sizes(path: str) -> dict[str, int]:
    """Bytes of stack of each function, by symbol, as the compiler noted them (`-Zemit-stack-sizes`)."""
    sizes = {}
    for names, size in STACK_ENTRY.findall(run("llvm-readobj", "--stack-sizes", path)):
        for symbol in names.split(", "):
            sizes[symbol] = int(size, 16)
    return sizes


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


def run(*command: str, stdin: str = "") -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, input=stdin).stdout
