#!/usr/bin/env bash
# Expected: one library has one Unicode. A tokenizer that takes accents off by StripAccents, or by BertNormalizer, takes off what
# \p{M} (\p{Mn}) finds in the same library's own patterns.
# Seen (tokenizers 0.23.3, Python): three Unicodes. StripAccents leaves 406 marks that \p{M} finds, such as Gujarati's of 2017 and
# Telugu's of 2018; BertNormalizer leaves those of 2016 as well, such as the vowels of Newa.
# Matters: texts in these scripts keep their marks, and become unknown tokens where a vocabulary was learnt without; readers in
# other languages that ask their own Unicode give other ids, in silence.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
python3 -m venv python
python/bin/pip --quiet --disable-pip-version-check install tokenizers==0.23.3
cat > program.py <<'PROGRAM'
from tokenizers import Regex
from tokenizers.normalizers import BertNormalizer, Replace, StripAccents

strip, pattern, letter = StripAccents(), Replace(Regex(r"\p{M}"), ""), "a"
bert = BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
characters = [chr(code) for code in range(0x300, 0xE0000) if not 0xD800 <= code < 0xE000]
marks = [mark for mark in characters if pattern.normalize_str(letter + mark) == letter]
left = [mark for mark in marks if strip.normalize_str(letter + mark) != letter]
print("marks by the pattern:", "more than 2000" if len(marks) > 2000 else len(marks))
print("left by StripAccents:", len(left))
for mark in ["\u0301", "\u0aff", "\u0c04", "\U00011438"]:
    normal = [each.normalize_str(letter + mark) == letter for each in (pattern, strip, bert)]
    print(f"U+{ord(mark):04X} is taken off by the pattern, StripAccents, BertNormalizer:", *normal)
PROGRAM
python/bin/python program.py | tee seen.txt
diff seen.txt - <<'SEEN'
marks by the pattern: more than 2000
left by StripAccents: 406
U+0301 is taken off by the pattern, StripAccents, BertNormalizer: True True True
U+0AFF is taken off by the pattern, StripAccents, BertNormalizer: True False False
U+0C04 is taken off by the pattern, StripAccents, BertNormalizer: True False False
U+11438 is taken off by the pattern, StripAccents, BertNormalizer: True True False
SEEN
