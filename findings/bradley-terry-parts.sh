#!/usr/bin/env bash
# Expected: a Bradley-Terry fit says so where the comparisons can't decide: two groups of items that never met have no common
# scale, and an item that wins every time has no finite strength.
# Seen (choix 0.4.1, Python): it depends on the method, with the defaults. lsr_, ilsr_pairwise and rank_centrality
# raise an error for both. opt_pairwise and mm_pairwise answer [0, 0, 0, 0] for two groups, as if all four were known to
# be equal; for three wins out of three opt_pairwise answers +-6.13, a number that its penalty alpha=1e-6 made, and
# mm_pairwise doesn't converge.
# Matters: ranking models or answers by pairwise preferences: leaderboards whose new entries met only each other, and small
# samples, look as settled as large ones. Test that the graph of wins is strongly connected, and state the penalty.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
python3 -m venv python
python/bin/pip --quiet --disable-pip-version-check install choix==0.4.1 numpy==2.4.6 scipy==1.17.1
cat > program.py <<'PROGRAM'
import choix

def answer(method, items, wins, **options):
    try:
        strengths = getattr(choix, method)(items, wins, **options)
        return "[" + " ".join(f"{x + 0:.2f}" for x in strengths) + "]"
    except (ValueError, RuntimeError) as error:
        return type(error).__name__

for name, items, wins in [("two groups", 4, [(0, 1), (1, 0), (2, 3), (3, 2)]), ("three of three", 2, [(0, 1)] * 3)]:
    for method in ["opt_pairwise", "mm_pairwise", "lsr_pairwise", "ilsr_pairwise", "rank_centrality"]:
        print(name, method, answer(method, items, wins))
print("three of three, alpha 1e-3", answer("opt_pairwise", 2, [(0, 1)] * 3, alpha=1e-3))
PROGRAM
python/bin/python program.py | tee seen.txt
diff seen.txt - <<'SEEN'
two groups opt_pairwise [0.00 0.00 0.00 0.00]
two groups mm_pairwise [0.00 0.00 0.00 0.00]
two groups lsr_pairwise ValueError
two groups ilsr_pairwise ValueError
two groups rank_centrality ValueError
three of three opt_pairwise [6.13 -6.13]
three of three mm_pairwise RuntimeError
three of three lsr_pairwise ValueError
three of three ilsr_pairwise ValueError
three of three rank_centrality ValueError
three of three, alpha 1e-3 [3.09 -3.09]
SEEN
