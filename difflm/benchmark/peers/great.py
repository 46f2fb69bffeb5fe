"""GReaT (Borisov et al. 2023, arXiv 2210.06280) by be-great, fine-tuning a language model at hand.

Rows are sentences "column is value"; settings are the package's own, the base model is the caller's.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from be_great import GReaT
from protocol import Job
from transformers import TrainerCallback, set_seed
from transformers import trainer as trainer_module


def deadline(job: Job) -> Any:
    """A callback that ends the training when the time is over."""

    class Deadline(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
            control.should_training_stop = control.should_training_stop or job.left() <= 0
            if control.should_training_stop:
                job.notes.append(f"{state.epoch:.1f} of {args.num_train_epochs:g} epochs")
            return control

    return Deadline


def longest_row(model: GReaT, frame: pd.DataFrame) -> int:
    """Tokens that a sentence may have, with room to spare."""
    few = frame.head(100).to_dict(orient="records")
    texts = [", ".join(f"{name} is {value}" for name, value in row.items()) for row in few]
    return int(1.5 * max(len(model.tokenizer(text)["input_ids"]) for text in texts)) + 20


def main() -> None:
    """Fine-tune until the limit, and sample."""
    job = Job.given()
    torch.set_num_threads(job.threads)
    set_seed(job.seed)
    frame = job.filled()
    whole = [c["name"] for c in job.columns if c["kind"] in ("integer", "datetime")]
    frame = frame.astype(dict.fromkeys(whole, "int64"))
    trainer_module.DEFAULT_CALLBACKS.append(deadline(job))
    model = GReaT(
        llm=str(job.options["model"]),
        experiment_dir=str(job.folder / "workspace"),
        save_strategy="no",
        use_cpu=True,
        seed=job.seed,
    )
    model.fit(frame, conditional_col=job.target)
    job.fitted()
    length = longest_row(model, frame)
    for number in range(job.sets):
        set_seed(job.set_seed(number))
        made = model.sample(job.rows, max_length=length, device="cpu").head(job.rows)
        job.write(number, made)
    job.finish(["be-great", "transformers", "torch", "pandas"])


if __name__ == "__main__":
    main()
