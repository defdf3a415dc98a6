"""What deploy/aws-cost and deploy/cloudflare-cost have in common: prices with their sources, and tables in Markdown."""

import math
from decimal import Decimal
from typing import NamedTuple

HOURS = 730
MILLION = 1_000_000
R2_PAGE = "https://github.com/cloudflare/cloudflare-docs/blob/07ec87d4f0b2bb3dd731f801af428f16d6c1b71d/src/content/docs/r2/pricing.mdx"


class Price(NamedTuple):
    """A price in USD: for so many of a unit, after what is free each month for the whole account."""

    usd: Decimal
    per: int
    unit: str
    free: int
    source: str
    free_source: str
    # Billed by the whole `per`, after what is free.
    is_whole: bool = False


# R2 is what all have.
R2_PRICES = {
    "R2, class A (writes, lists)": Price(Decimal("4.50"), MILLION, "request", 1_000_000, R2_PAGE, R2_PAGE, True),
    "R2, class B (reads)": Price(Decimal("0.36"), MILLION, "request", 10_000_000, R2_PAGE, R2_PAGE, True),
}

# What one tick and one check of a stack with nothing to do take of the store (measured: RUST_LOG=trace).
TICK_READS, TICK_LISTS, TICK_WRITES = 2, 2, 1
CHECK_READS, CHECK_WRITES = 3, 1


def store_quantities(ticks, checks):
    """How much of R2 is used, and how that is reckoned."""
    return {
        "R2, class A (writes, lists)": (
            ticks * (TICK_LISTS + TICK_WRITES) + checks * CHECK_WRITES,
            f"ticks × {TICK_LISTS + TICK_WRITES} + checks × {CHECK_WRITES}",
        ),
        "R2, class B (reads)": (
            ticks * TICK_READS + checks * CHECK_READS,
            f"ticks × {TICK_READS} + checks × {CHECK_READS}",
        ),
    }


def times(stacks, options):
    """How many ticks, checks and messages there are, and how that is reckoned."""
    ticks = HOURS * 60 // options.tick_every
    checks = stacks * HOURS * 60 // options.check_every
    return {
        "ticks": (ticks, f"{HOURS} h × 60 / {options.tick_every} min"),
        "checks": (checks, f"stacks × {HOURS} h × 60 / {options.check_every} min"),
        "messages": (math.ceil(checks / options.group), f"checks / {options.group}"),
    }


def cost(price, quantity, free):
    """What so much costs, with what is free each month or without it."""
    if free:
        quantity = max(Decimal(0), quantity - price.free)
        if price.is_whole:
            quantity = math.ceil(quantity / price.per) * price.per
    return price.usd * Decimal(quantity) / price.per


def add_arguments(parser):
    """What both programs can be told."""
    parser.add_argument("--stacks", type=int, nargs="+", default=[5, 50, 500])
    parser.add_argument("--check-every", type=int, default=15, metavar="MINUTES")
    parser.add_argument("--tick-every", type=int, default=5, metavar="MINUTES")
    parser.add_argument("--group", type=int, default=1, help="stacks in a message")


def table(header, rows, numbers):
    """Markdown; the last columns, so many, have numbers."""
    lines = ["---"] * (len(header) - numbers) + ["---:"] * numbers
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in [header, lines, *rows])


def usd(amount):
    return f"{amount:.2f}"


def number(quantity):
    return f"{math.ceil(quantity):,}"


def priced_for(price):
    """`0.50 for 1,000,000 requests`."""
    unit = price.unit if price.per == 1 else f"{price.unit}s"
    return f"{price.usd} for {price.per:,} {unit}"


def columns(sizes):
    return [f"{stacks:,} stacks" for stacks in sizes]


def report(used, prices):
    """The tables of costs, of quantities and of prices, and the list of sources. `used`: by number of stacks."""
    sizes = list(used)
    names = list(used[sizes[0]])
    priced = [name for name in names if name in prices]
    amounts = [[name, used[sizes[0]][name][1], *(number(used[size][name][0]) for size in sizes)] for name in names]
    costs = [[name, *(usd(cost(prices[name], used[size][name][0], False)) for size in sizes)] for name in priced]
    for label, free in (("all, if what is free is used up", False), ("all, if all that is free is left", True)):
        sums = (sum(cost(prices[name], used[size][name][0], free) for name in priced) for size in sizes)
        costs.append([f"**{label}**", *(f"**{usd(amount)}**" for amount in sums)])
    sources = list(dict.fromkeys(source for name in priced for source in (prices[name].source, prices[name].free_source)))
    place = {source: f"[{at}]" for at, source in enumerate(sources, 1)}
    rows = [
        [name, priced_for(price), place[price.source], f"{price.free:,}", place[price.free_source]]
        for name, price in prices.items()
        if name in priced
    ]
    return [
        table(["USD a month", *columns(sizes)], costs, len(sizes)),
        table(["used a month", "reckoned as", *columns(sizes)], amounts, len(sizes)),
        table(["price", "USD", "read in", "free a month", "read in"], rows, 0),
        "\n".join(f"{at}. {source}" for at, source in enumerate(sources, 1)),
    ]
