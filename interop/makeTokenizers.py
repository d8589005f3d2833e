"""Makes folders with tokenizer.json of further real vocabularies, for compareTokenizers.py: those in the sources of llama.cpp
(GGUF files, in the source package of llama_cpp_python), Mistral's SentencePiece models (in mistral_common), and the kinds of
T5, XLM-R and others, learnt from the README here by SentencePiece and converted by transformers.

  python interop/makeTokenizers.py FOLDER_OF_GGUF OUT
"""

import glob, json, os, shutil, sys
import gguf, mistral_common, sentencepiece, transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

source, out = sys.argv[1:]
root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
gpt4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?LETTERS+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
by = lambda *patterns: [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]
cuts = {
    "qwen2": by(gpt4.replace("LETTERS", r"\p{L}").replace("DIGITS", "")) + [letters],
    "qwen35": by(gpt4.replace("LETTERS", r"[\p{L}\p{M}]").replace("DIGITS", "")) + [letters],
    "llama-bpe": by(gpt4.replace("LETTERS", r"\p{L}").replace("DIGITS", "{1,3}")) + [letters],
    "falcon": [pre_tokenizers.Punctuation("contiguous"), byte_level, pre_tokenizers.Digits(), *by("[0-9][0-9][0-9]")],
    "deepseek-coder": by("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+") + [pre_tokenizers.Digits(individual_digits=True), letters],
} | {name: [pre_tokenizers.Digits(individual_digits=True), byte_level] for name in ("starcoder", "refact", "command-r")}


def merges_of(tokens, scores):
    """The merges that SentencePiece's scores stand for, as transformers finds them."""
    ids, found = {token: i for i, token in enumerate(tokens)}, []
    for token, score in zip(tokens, scores):
        pairs = [(token[:i], token[i:]) for i in range(1, len(token)) if token[:i] in ids and token[i:] in ids]
        found += [(*pair, score) for pair in sorted(pairs, key=lambda pair: (ids[pair[0]], ids[pair[1]]))]
    return [(a, b) for a, b, _ in sorted(found, key=lambda pair: pair[2], reverse=True)]


def converted(name, field):
    tokens, kind = field("tokens"), field("model")
    merges = [tuple(pair) for pair in (merge.split(" ") for merge in field("merges") or []) if len(pair) == 2]
    vocab = {token: i for i, token in reversed(list(enumerate(tokens)))}
    if kind == "gpt2":
        made = Tokenizer(models.BPE(vocab, merges, ignore_merges=name == "llama-bpe"))
        made.pre_tokenizer = pre_tokenizers.Sequence(cuts.get(field("pre"), [byte_level]))
        if name in ("qwen2", "qwen35", "mpt", "gpt-neox"):
            made.normalizer = normalizers.NFC()
        made.decoder = decoders.ByteLevel()
        return made
    if kind == "t5":
        made = Tokenizer(models.Unigram(list(zip(tokens, field("scores"))), unk_id=field("unknown_token_id"), byte_fallback=False))
        table = normalizers.Precompiled(bytes(field("precompiled_charsmap")))
        made.normalizer = normalizers.Sequence([table, normalizers.Replace(Regex(" {2,}"), " ")])
        made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace("▁", "always"), decoders.Metaspace("▁", "always")
        return made
    unknown = field("unknown_token_id")
    unk_token = None if unknown is None else tokens[unknown]
    made = Tokenizer(models.BPE(vocab, merges or merges_of(tokens, field("scores")), unk_token=unk_token, fuse_unk=True, byte_fallback=True))
    spaces = [normalizers.Replace(" ", "▁")]
    if kind == "gemma4":
        made.normalizer, made.pre_tokenizer = spaces[0], pre_tokenizers.Split(" ", "merged_with_previous")
    elif name == "phi-3":
        made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), *spaces])
    else:
        made.pre_tokenizer = pre_tokenizers.Metaspace("▁", "first", split=False)
    strip = [] if kind == "gemma4" else [decoders.Strip(" ", 1, 0)]
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *strip])
    return made


for file in sorted(glob.glob(f"{source}/ggml-vocab-*.gguf")):
    name, fields = os.path.basename(file)[11:-5], gguf.GGUFReader(file).fields
    field = lambda key: fields[f"tokenizer.ggml.{key}"].contents() if f"tokenizer.ggml.{key}" in fields else None
    if field("model") == "bert" or field("pre") == "deepseek-llm":  # compareTokenizers' own, and a pattern that Rust refuses
        continue
    made = converted(name, field)
    of_kind = lambda kind: [token for token, own in zip(field("tokens"), field("token_type") or []) if own == kind]
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in of_kind(3)])
    made.add_tokens([AddedToken(token, normalized=False) for token in of_kind(4)])
    os.makedirs(f"{out}/{name}", exist_ok=True)
    made.save(f"{out}/{name}/tokenizer.json")

texts = f"{out}/texts.txt"
unlike = "naïve café 日本語 한국어 привет สวัสดี नमस्ते مرحبا ½ ² ﬁ Ⅻ 😀 👩‍👩‍👧 \u3000 １２３ ｱｲｳ e\u0301\n"
open(texts, "w").write(open(f"{root}/README.md").read() + open(f"{root}/docs/decisions.md").read() + unlike * 30)
for kind, rule in (("unigram", "nmt_nfkc"), ("bpe", "nmt_nfkc"), ("bpe", "nmt_nfkc_cf")):
    sentencepiece.SentencePieceTrainer.train(
        input=texts, model_prefix=f"{out}/{kind}-{rule}", vocab_size=2000, model_type=kind, normalization_rule_name=rule, pad_id=3, minloglevel=2
    )
mistral = os.path.dirname(mistral_common.__file__) + "/data"
files = {"T5": "spiece", "XLMRoberta": "sentencepiece.bpe", "XLNet": "spiece", "MBart": "sentencepiece.bpe", "BigBird": "spiece"}
files |= {"RemBert": "sentencepiece", "Camembert": "sentencepiece.bpe", "DebertaV2": "spm"}
learnt = [(kind, file, f"{out}/unigram-nmt_nfkc.model", kind) for kind, file in files.items()]
learnt += [("Llama", "tokenizer", f"{out}/bpe-nmt_nfkc.model", "Llama"), ("Nllb", "sentencepiece.bpe", f"{out}/bpe-nmt_nfkc.model", "Nllb")]
learnt += [("Gemma", "tokenizer", f"{out}/bpe-nmt_nfkc_cf.model", "Gemma")]
learnt += [("Llama", "tokenizer", file, "mistral-" + file.rsplit(".")[-1]) for file in sorted(glob.glob(f"{mistral}/*.model.v?"))]
for kind, file, model, name in learnt:
    os.makedirs(f"{out}/{name}", exist_ok=True)
    shutil.copy(model, f"{out}/{name}/{file}.model")
    getattr(transformers, f"{kind}Tokenizer").from_pretrained(f"{out}/{name}").save_pretrained(f"{out}/{name}")
