"""A tiny local chat model, and the real `transformers serve` in front of it. No network.

The weights are random, so its answers are nonsense; tokens, counts and errors are real.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CONTEXT = 8192  # tokens, prompt and answer together
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
STARTING_S = 60.0
SERVE = (
    "import sys; from transformers.cli.transformers import main; "
    "sys.argv[0] = 'transformers'; main()"
)


def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE with a chat template, learnt from the prompts of Gloss: they are short then.

    The server's time goes with the square of a prompt's tokens.
    """
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4000,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    prompts = sorted(Path(__file__).with_name("golden").glob("*.txt"))
    inner.train_from_iterator([prompt.read_text("utf-8") for prompt in prompts], trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    made.chat_template = TEMPLATE
    return made


def save_chat_model(folder: Path, *, curt: bool = False) -> Path:
    """Write a two-layer llama with random weights, and its tokenizer, where a server finds them.

    curt: a third of all tokens end its answers, which are short then.
    """
    made = tokenizer()
    config = LlamaConfig(
        vocab_size=len(made),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        bos_token_id=None,
        eos_token_id=made.eos_token_id,
        pad_token_id=made.pad_token_id,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    made.save_pretrained(folder)
    if curt:
        ends = [made.eos_token_id, *range(5, len(made), 3)]
        GenerationConfig(eos_token_id=ends, pad_token_id=made.pad_token_id).save_pretrained(folder)
    return folder


@contextmanager
def transformers_serve(folder: Path) -> Iterator[str]:
    """Run the server for one folder on a free port, and give its base URL; ends with the block."""
    port = _free_port()
    arguments = ["serve", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    arguments += ["--device", "cpu", "--default-seed", "0"]
    offline = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error"}
    log = folder / "serve.log"
    with log.open("wb") as written:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVE, *arguments],
            env=os.environ | offline,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(f"http://127.0.0.1:{port}/health", server, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.kill()  # it keeps nothing, and an orderly end waits for open connections
        server.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _wait(address: str, server: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + STARTING_S
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=1) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"transformers serve did not start:\n{log.read_text('utf-8', 'replace')}")
