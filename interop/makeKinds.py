"""Makes test/golden/nn/tokenizerKinds.json: small tokenizer.json files, one for each kind of step, with the ids and the
texts that the original library gives for them. Run again only to add a kind or to follow a newer library.

  python interop/makeKinds.py > test/golden/nn/tokenizerKinds.json
"""

import json
import tokenizers
from tokenizers import Tokenizer

letters = [chr(b) if 33 <= b < 127 or 161 <= b < 256 and b != 173 else None for b in range(256)]
spare = 256
for byte in range(256):
    if letters[byte] is None:
        letters[byte] = chr(spare)
        spare += 1


def frame(model, **steps):
    plain = dict(version="1.0", truncation=None, padding=None, added_tokens=[], normalizer=None, pre_tokenizer=None)
    return {**plain, "post_processor": None, "decoder": None, **steps, "model": model}


def words(*tokens, **more):
    return {"type": "WordLevel", "vocab": {t: i for i, t in enumerate(("[UNK]",) + tokens)}, "unk_token": "[UNK]", **more}


def pieces(*tokens):
    vocab = {t: i for i, t in enumerate(("[UNK]",) + tokens)}
    return {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 20, "vocab": vocab}


def bpe(tokens, merges, **more):
    return {"type": "BPE", "vocab": {t: i for i, t in enumerate(tokens)}, "merges": merges, **more}


def added(id, content, **flags):
    plain = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    return {"id": id, "content": content, **plain, **flags}


def unigram(*scored, **more):
    return {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], *map(list, scored)], **more}


def split(pattern, behavior, invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


abc = list("abcdefghijklmnopqrstuvwxyz .,-'")
byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
some_words = words("le", "café", "wait", ".", "...", "½", "٣", "3", "12", "1", "2", "a", "b", "the", "cat", "category", "-", "--", "x")
texts = ["le café", "wait...", "a½b", "12٣ 3", "a b-a--b", "", " a ", "a\ufeffb a\u0085b a\u00a0b", "x,x;x", "naïve_x y2", "日本 a"]
cut = lambda pre, model=some_words: frame(model, pre_tokenizer=pre)
cl100k = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
gpt_texts = ["Hello World'S 12345  end\n\n x", "we'LL  'ſ KK", "a\r\n b\t\tc", "日本語! 🙂", "x\u0085y \ufeff z"]
gpt_bytes = bpe(letters, [], unk_token=None)
hidden = letters.copy()
for missing in ["Ã", "©", "z"]:
    hidden.remove(missing)
chars = "abcxy -.,AÉéfiﬁ①²½…'"

kinds = [
    ("Whitespace", cut({"type": "Whitespace"}), texts),
    ("WhitespaceSplit", cut({"type": "WhitespaceSplit"}), texts),
    ("BertPreTokenizer", cut({"type": "BertPreTokenizer"}), texts),
    ("Punctuation", cut({"type": "Punctuation"}), texts),
    ("Digits", cut({"type": "Digits", "individual_digits": False}), texts),
    ("Digits alone", cut({"type": "Digits", "individual_digits": True}), texts),
    ("CharDelimiterSplit", cut({"type": "CharDelimiterSplit", "delimiter": "-"}), texts),
    ("FixedLength", cut({"type": "FixedLength", "length": 2}, words("ab", "ba", "c", "é日")), ["abba", "abbac", "é日é日c", ""]),
    ("Sequence", cut({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Punctuation"}, {"type": "Digits", "individual_digits": True}]}), texts),
    ("WordLevel without a role", frame(words("le", "café"), pre_tokenizer={"type": "Whitespace"}), ["le café noir"]),
    ("cl100k", frame(gpt_bytes, pre_tokenizer={"type": "Sequence", "pretokenizers": [split({"Regex": cl100k}, "Isolated"), {**byte_level, "use_regex": False}]}, decoder=byte_level), gpt_texts),
    ("Bloom's classes", cut(split({"Regex": r" ?[^(\s|[.,!?…。，、।۔،])]+"}, "Isolated"), words("ab", " ab", ".", ",", "(", "ab)")), ["ab ab.", "ab, ab)(", "ab|ab…"]),
    ("classes that meet", cut(split({"Regex": r"[\p{Han}&&[^本]]+|[^\p{Han}]"}, "Isolated"), words("日", "語", "本", "a", "日語")), ["日本語a", "日語 a"]),
    ("possessive", cut(split({"Regex": r"a++b?|(?>x+)y|\bc"}, "Isolated"), words("aab", "aa", "xxy", "c", "b")), ["aabaa", "xxyxx", "c cc ac"]),
    ("ByteLevel with a space in front", frame(gpt_bytes, pre_tokenizer={**byte_level, "add_prefix_space": True}, decoder=byte_level), ["a", " a", "", "é\n"]),
    ("ByteLevel, some bytes unknown", frame(bpe(hidden + ["ab"], [["a", "b"]], unk_token=None), pre_tokenizer=byte_level, decoder=byte_level), ["abé", "zab", "ézé", "naïve"]),
    ("ByteLevel, a merge twice and a version", frame(bpe(letters + ["ab", "bc", "abc"], ["#version: 0.2", "b c", "a b", "ab c", "b c"]), pre_tokenizer=byte_level, decoder=byte_level), ["abc", "bcabcab"]),
    ("ByteLevel, a token of no bytes", frame(bpe(letters + ["日"], []), pre_tokenizer=byte_level, decoder=byte_level), ["日a"]),
    ("BPE drops what it doesn't know", frame(bpe(["a", "b", "ab"], [["a", "b"]])), ["abxab", "x", "xaxb"]),
    ("BPE with an unknown token", frame(bpe(["[UNK]", "a", "b", "ab"], [["a", "b"]], unk_token="[UNK]")), ["abxyab", "xyz", "a日b"]),
    ("BPE with fused unknowns", frame(bpe(["[UNK]", "a", "b", "ab"], [["a", "b"]], unk_token="[UNK]", fuse_unk=True)), ["abxyab", "xyz", "a日本b"]),
    ("continuing_subword_prefix", frame(bpe(["a", "##b", "##c", "ab", "abc", "b"], [["a", "##b"], ["ab", "##c"]], continuing_subword_prefix="##"), pre_tokenizer={"type": "Whitespace"}), ["abc", "ab b", "abcc"]),
    ("end_of_word_suffix", frame(bpe(["a", "b", "a</w>", "b</w>", "ab</w>", "aa"], [["a", "b</w>"], ["a", "a"]], end_of_word_suffix="</w>"), pre_tokenizer={"type": "Whitespace"}, decoder={"type": "BPEDecoder", "suffix": "</w>"}), ["ab a", "aab aa", "b"]),
    ("ignore_merges", frame(bpe(["a", "b", "c", "abc"], [], ignore_merges=True)), ["abc", "abcc", "cab"]),
    ("byte_fallback", frame(bpe(["<unk>", "a", "▁"] + [f"<0x{b:02X}>" for b in range(256)], [], unk_token="<unk>", byte_fallback=True, fuse_unk=True), normalizer={"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}, decoder={"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}), ["a é a", "日x", "", " a"]),
    ("WordPiece", frame(pieces("un", "##aff", "##able", "a", "##b", "b", "[CLS]", "[SEP]"), normalizer={"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}, pre_tokenizer={"type": "BertPreTokenizer"}, post_processor={"type": "BertProcessing", "sep": ["[SEP]", 8], "cls": ["[CLS]", 7]}, decoder={"type": "WordPiece", "prefix": "##", "cleanup": True}), ["UNaffable AB", "ab\u00adb a\u0000b", "ÁB b", "a日b", "abbbbbbbbbbbbbbbbbbbbbbbb b"]),
    ("Unigram", frame(unigram(("a", -1.0), ("b", -2.0), ("ab", -0.5), ("▁", -1.5), ("▁ab", -1.2)), pre_tokenizer={"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}, decoder={"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}), ["aba ab", "axyb", "x", " ab  b"]),
    ("Unigram with bytes", frame(unigram(("a", -1.0), ("y", -2.0), *[(f"<0x{b:02X}>", -9.0) for b in range(256)], byte_fallback=True), decoder={"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]}), ["axya", "日", "xx", "<unk>a"]),
    *[(f"Metaspace {scheme}", frame(unigram(("▁", -3.0), ("a", -1.0), ("▁a", -0.5)), added_tokens=[added(4, "<s>", special=True)], pre_tokenizer={"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": True}, decoder={"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": True}), ["a a", "<s>a<s> a", " a", "a<s>a"]) for scheme in ("always", "first", "never")],
    *[(f"Split {behavior}{' inverted' if invert else ''}", cut(split({"Regex": "[-.]"}, behavior, invert), words("a", "-", ".", "a-", "-a", "--", "-a-", "-.", "a-.", ".-a", "aa")), ["a-a", "--a.-aa", "a-.a-", "-", "aa"]) for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous") for invert in (False, True)],
    *[(f"Punctuation {behavior}", cut({"type": "Punctuation", "behavior": behavior}, words("a", "...", ".", "a.", ".a", "..")), ["a...a", "..a.", "¿a。a"]) for behavior in ("Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous")],
    ("single_word", frame(some_words, added_tokens=[added(15, "cat", single_word=True)], pre_tokenizer={"type": "WhitespaceSplit"}), ["the category", "the cat", "cat", "a-cat-b", "_cat catécat cat."]),
    ("lstrip and rstrip", frame(bpe(abc, []), added_tokens=[added(31, "<l>", lstrip=True), added(32, "<r>", rstrip=True), added(33, "<b>", lstrip=True, rstrip=True, special=True)]), ["a <l> a", "a <r> a", "a  <b>  <b> a", "<l><r> <b>", " <r>  <l> "]),
    ("added tokens before and after normalising", frame(bpe(abc, []), added_tokens=[added(31, "Ab", normalized=False), added(32, "AbC", normalized=True), added(33, "xyZ", normalized=True)], normalizer={"type": "Lowercase"}), ["abcAbCabc", "XYZ xyz", "Ab ab", "abcAb"]),
    ("the longest added token", frame(bpe(abc, []), added_tokens=[added(31, "ab"), added(32, "abc"), added(33, "bcd")]), ["abcd", "abd", "bcdab"]),
    ("Replace with dollars", frame(bpe(list("ab$&1"), []), normalizer={"type": "Replace", "pattern": {"String": "b"}, "content": "$&$1"}), ["ab", "bb"]),
    ("Replace by a pattern", frame(bpe(list("ab_ "), []), normalizer={"type": "Replace", "pattern": {"Regex": " {2,}|\\bb"}, "content": "_"}), ["a   b", "ab b a", "  "]),
    *[(form, frame(bpe(list(chars + "1/2⁄."), []), normalizer={"type": form}), ["Éé e\u0301", "ﬁ①²½…"]) for form in ("NFC", "NFD", "NFKC", "NFKD")],
    ("Lowercase", frame(bpe(list("aéσςi̇ß"), []), normalizer={"type": "Lowercase"}), ["AÉ ΑΣ ẞİ", "ΣΣ"]),
    ("StripAccents", frame(bpe(list("aeé"), []), normalizer={"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}]}), ["é à", "e\u0301a\u20dd"]),
    ("Strip", frame(bpe(list("a \ufeff"), []), normalizer={"type": "Strip", "strip_left": True, "strip_right": True}), ["  a a \n", "\u0085a\ufeff", "  "]),
    ("Nmt", frame(bpe(list("a b"), []), normalizer={"type": "Nmt"}), ["a\u200bb\u0001\ta", "\ufeffa\u00a0b"]),
    ("ByteLevel as a normalizer", frame(bpe(letters, []), normalizer={"type": "ByteLevel"}, decoder=byte_level), ["a é", "日"]),
    ("template", frame(words("a", "b", "[CLS]", "[SEP]"), pre_tokenizer={"type": "Whitespace"}, post_processor={"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [3], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [4], "tokens": ["[SEP]"]}}}), ["a b", ""]),
    ("truncation and padding", {**frame(words("a", "b"), pre_tokenizer={"type": "Whitespace"}), "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}, "padding": {"strategy": {"Fixed": 5}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "[UNK]"}}, ["a b a", "a"]),
    ("CTC", frame(words("a", "b", "|", "<pad>"), pre_tokenizer={"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": False}, decoder={"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True}), ["aab|b", "a|a"]),
    ("no decoder", cut({"type": "Whitespace"}), ["le café x"]),
]

made = []
for kind, file, texts in kinds:
    found = Tokenizer.from_str(json.dumps(file))
    found.no_truncation()  # as transformers does
    found.no_padding()
    cases = []
    for text in texts:
        found.encode_special_tokens = False
        ids = found.encode(text, add_special_tokens=False).ids
        whole = found.encode(text, add_special_tokens=True).ids
        shown = [found.decode(ids, skip_special_tokens=skip) for skip in (False, True)]
        found.encode_special_tokens = True
        plain = found.encode(text, add_special_tokens=False).ids
        case = {"text": text, "ids": ids, "decoded": shown[0]}
        if plain != ids:
            case["plain"] = plain
        if whole != ids:
            case["whole"] = whole
        if shown[1] != shown[0]:
            case["shown"] = shown[1]
        cases.append(case)
    made.append({"kind": kind, "file": file, "cases": cases})
print(json.dumps({"library": f"tokenizers {tokenizers.__version__} (Rust)", "kinds": made}, ensure_ascii=True, separators=(",", ":")))
