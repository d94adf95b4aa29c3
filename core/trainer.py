"""Training: stateful truncated back-propagation over many pieces side by side.

The state runs on from stretch to stretch, the gradient does not: every event is a target once an
epoch, where overlapping windows would compute each of them dozens of times.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core import checkpoint, evaluate
from core.batches import Streams, Windows
from core.checkpoint import Checkpoint, ModelConfig
from core.corpus import Corpus
from core.errors import CheckpointError, CorpusError, TrainingError
from core.evaluate import Score
from core.model import State, build
from core.workers import Workers

SAVE_EVERY_S = 20.0  # what a power cut may cost
VALIDATE_EVERY = 1000  # stretches, or an epoch where that is shorter
EXPLODED = 3.0  # a loss so many times that of blind guessing


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to train. Saved with the training, so that it goes on as it began."""

    streams: int = 16  # pieces side by side; few, for many updates
    steps: int = 64  # events in a stretch: how far the gradient reaches back
    windows: bool = False  # instead: so many windows of so many events, each from silence
    learning_rate: float = 2e-3  # at its peak
    warm_up: int = 100  # stretches on the way to it
    cooled: float = 0.01  # what a cosine leaves of it in the end
    weight_decay: float = 0.01
    clip: float | None = 1.0  # largest norm of the gradient
    halves: bool = True  # half precision, where it is faster
    transpose: int = 0  # semitones up or down at most, of a piece each time it is read
    seed: int = 0
    epochs: float = 20.0  # stop after so many passes over the music,
    minutes: float | None = None  # or rather after so much training time, resumed parts included
    patience: int = 20  # stop when so many validations in a row were no better than the best
    keep_best: bool = True  # the model of the best validation, not of the last


@dataclass(slots=True)
class Progress:
    """How far training has come; what `report` is shown."""

    stretches: int = 0
    events: int = 0
    elapsed_s: float = 0.0
    share: float = 0.0  # of the whole training, 0..1
    train_loss: float = math.nan  # nats an event, since the last validation
    best_loss: float = math.inf
    fruitless: int = 0  # validations since the best
    curve: list[dict[str, float]] = field(default_factory=list)  # a row each validation


def resume_path(out: Path) -> Path:
    return out.with_name(out.name + ".resume")


class Trainer:
    """One training run: made new or resumed, then `run` once."""

    def __init__(
        self,
        corpus: Corpus,
        out: Path,
        config: ModelConfig,
        recipe: Recipe,
        workers: Workers | None = None,
        record: dict[str, Any] | None = None,
    ) -> None:
        sizes = recipe.streams, recipe.steps, recipe.seed
        if recipe.windows:
            windows, self._windows_held_out = Windows.split(corpus, *sizes)
            self._streams: Streams | Windows = windows
            held_out = self._windows_held_out.targets
        else:
            pieces = corpus.pieces(held_out=False)
            self._streams = Streams(corpus, pieces, *sizes, transpose=recipe.transpose)
            held_out = corpus.events_in(corpus.pieces(held_out=True))
        self.events_per_epoch = self._streams.targets
        if self.events_per_epoch == 0 or held_out == 0:
            raise CorpusError("too little music to train on; give at least a few dozen notes")
        torch.manual_seed(recipe.seed)
        self._corpus = corpus
        self._out = out
        self._config = config
        self.recipe = recipe
        self._record = record or {}
        self._workers = workers or Workers()
        self._device = self._workers.device
        self._model = build(config, corpus.codec).to(self._device)
        self._optimizer = torch.optim.AdamW(
            self._model.parameters(), lr=0.0, weight_decay=recipe.weight_decay
        )
        self._mine = self._workers.share(recipe.streams)
        self._state = self._model.silence(self._mine.stop - self._mine.start)
        sizes = (corpus.codec.notes, corpus.codec.velocities, corpus.codec.time_bins)
        self._exploded = EXPLODED * sum(map(math.log, sizes))
        self.progress = Progress()

    def run(self, report: Callable[[Progress], None] = lambda _: None) -> Progress:
        """Train to the end of the recipe; the best checkpoint so far is always at `out`.

        Stopped by KeyboardInterrupt, it saves where it stands and lets the interrupt through.

        Raises:
            TrainingError: the loss is no longer finite; `out` keeps the last good checkpoint.
        """
        progress = self.progress
        began_s = time.monotonic() - progress.elapsed_s
        saved_s = progress.elapsed_s
        losses: list[Tensor] = []
        validate_every = min(VALIDATE_EVERY, self._streams.stretches)
        try:
            while progress.share < 1:
                losses.append(self._stretch())
                now_s = time.monotonic()
                progress.elapsed_s = self._workers.agree(now_s - began_s)
                progress.share = self._share()
                last = progress.share >= 1
                if progress.stretches % validate_every == 0 or last:
                    progress.train_loss = float(torch.stack(losses).mean())
                    losses.clear()
                    self._validate()
                    began_s += time.monotonic() - now_s  # validation is not training time
                if progress.elapsed_s - saved_s > SAVE_EVERY_S or last:
                    self._save()
                    saved_s = progress.elapsed_s
                report(progress)
                if progress.fruitless >= self.recipe.patience:
                    self._save()
                    break
        except KeyboardInterrupt:
            # Several processes are interrupted at different places: there the last save stands.
            if self._workers.count == 1:
                self._save()
                if math.isinf(progress.best_loss):
                    self._validate()
            raise
        return progress

    def resume(self) -> None:
        """Go on where an earlier run on the same music stopped.

        Raises:
            CheckpointError: there is no such run, or it was on other music or another model.
        """
        path = resume_path(self._out)
        if not path.is_file():
            raise CheckpointError(f"nothing to resume at {path}; leave --resume out to begin")
        try:
            arrays, text = checkpoint.read(path, "resume")
            saved = json.loads(text)
            tensors = {name: torch.tensor(array) for name, array in arrays.items()}
            if saved["corpus"] != self._fingerprint() or saved["model"] != asdict(self._config):
                raise CheckpointError(
                    f"{path} is of a training with other music or another model;"
                    " give the same files and sizes, or another --out"
                )
            self._load(tensors, saved)
        except (ValueError, KeyError, TypeError, RuntimeError) as error:
            raise CheckpointError(f"{path} is damaged ({error}); train from the start") from error

    def _stretch(self) -> Tensor:
        """One step of the optimizer on the next stretch of every stream; the loss, a scalar."""
        batch = self._streams.next()
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate()
        self._model.train()
        mine = batch.of(self._mine)
        halves = self.recipe.halves and self._workers.halves
        with torch.autocast(self._device.type, torch.bfloat16, enabled=halves):
            logits, targets, self._state = evaluate.predict(self._model, mine, self._state)
        real = torch.from_numpy(mine.real).to(self._device)
        losses = torch.stack(evaluate.losses(logits, targets)).sum(0)
        loss = losses[real].sum() / int(batch.real.sum())
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        loss = loss.detach()
        gradients = [p.grad for p in self._model.parameters() if p.grad is not None]
        self._workers.sum([*gradients, loss])
        norm = torch.nn.utils.clip_grad_norm_(
            self._model.parameters(), math.inf if self.recipe.clip is None else self.recipe.clip
        )
        if not (torch.isfinite(norm) and float(loss) < self._exploded):
            raise TrainingError(
                f"the loss exploded after {self.progress.events:,} events;"
                f" {self._out} keeps the last good model; train with a lower --learning-rate"
            )
        self._optimizer.step()
        self.progress.stretches += 1
        self.progress.events += int(batch.real.sum())
        return loss

    def start_from(self, earlier: Checkpoint) -> None:
        """Begin with the weights of a trained model, of this one's shape and codec."""
        self._model.load_state_dict({k: torch.from_numpy(v) for k, v in earlier.weights.items()})

    def score(self) -> Score:
        """Score what was held out."""
        if self.recipe.windows:
            batches = self._windows_held_out.once()
            return evaluate.score_batches(self._model, self._corpus.codec, batches)
        return evaluate.score(self._model, self._corpus, self._corpus.pieces(held_out=True))

    def _validate(self) -> None:
        """Score what was held out, and keep the model if it is the best so far, or any will do."""
        score, progress = self.score(), self.progress
        progress.curve.append(
            {
                "events": progress.events,
                "epoch": progress.events / self.events_per_epoch,
                "elapsed_s": round(progress.elapsed_s, 1),
                "train": progress.train_loss,
                "validation": score.loss,
                **score._asdict(),
            }
        )
        progress.fruitless += 1
        if score.loss < progress.best_loss or not self.recipe.keep_best:
            progress.best_loss = min(score.loss, progress.best_loss)
            progress.fruitless = 0
            if not self._workers.first:
                return
            weights = {
                name: weight.cpu().numpy() for name, weight in self._model.state_dict().items()
            }
            record = self._record | {
                "recipe": asdict(self.recipe),
                "pieces": len(self._corpus.held_out),
                "events_seen": progress.events,
                "training_s": round(progress.elapsed_s),
                "validation": score._asdict() | {"loss": score.loss},
                "curve": progress.curve,
                "torch": torch.__version__,
            }
            checkpoint.save(
                self._out,
                Checkpoint(
                    config=self._config, codec=self._corpus.codec, weights=weights, record=record
                ),
            )

    def _share(self) -> float:
        """How much of the training is done, 0..1."""
        if self.recipe.minutes is not None:
            return min(1.0, self.progress.elapsed_s / (60 * self.recipe.minutes))
        return min(1.0, self.progress.events / (self.recipe.epochs * self.events_per_epoch))

    def _learning_rate(self) -> float:
        warm_up = min(1.0, (self.progress.stretches + 1) / max(1, self.recipe.warm_up))
        cooled = self.recipe.cooled
        cosine = (1 + math.cos(math.pi * self.progress.share)) / 2
        return self.recipe.learning_rate * warm_up * (cooled + (1 - cooled) * cosine)

    def _fingerprint(self) -> str:
        """Tells this music from other music."""
        tokens = self._corpus.tokens
        return f"{len(tokens)} events, sum {int(tokens.sum(dtype=np.int64))}"

    def _save(self) -> None:
        """Everything that `resume` needs to go on as if nothing had happened."""
        streams = self.recipe.streams
        state = State(
            hidden=self._workers.whole(self._state.hidden.detach(), 1, streams),
            cell=self._workers.whole(self._state.cell.detach(), 1, streams),
            ages_s=self._workers.whole(self._state.ages_s, 0, streams),
        )
        if not self._workers.first:
            return
        tensors: dict[str, Tensor] = {"rng": torch.get_rng_state()}
        tensors |= {f"model.{k}": v for k, v in self._model.state_dict().items()}
        for index, slots in self._optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in slots.items()}
        tensors |= {f"state.{k}": v for k, v in state._asdict().items()}
        arrays: dict[str, NDArray[Any]] = {
            name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()
        }
        saved = {
            "corpus": self._fingerprint(),
            "model": asdict(self._config),
            "streams": self._streams.position(),
            "progress": asdict(self.progress),
        }
        checkpoint.write_beside(resume_path(self._out), arrays, {"resume": json.dumps(saved)})

    def _load(self, tensors: dict[str, Tensor], saved: dict[str, Any]) -> None:
        torch.set_rng_state(tensors.pop("rng"))
        state = State(**{k: v.to(self._device) for k, v in _below("state.", tensors)})
        mine = self._mine
        self._state = State(state.hidden[:, mine], state.cell[:, mine], state.ages_s[mine])
        self._model.load_state_dict(dict(_below("model.", tensors)))
        slots: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _below("optimizer.", tensors):
            index, slot = name.split(".")
            slots.setdefault(int(index), {})[slot] = tensor
        whole = self._optimizer.state_dict()
        self._optimizer.load_state_dict(whole | {"state": slots})
        self._streams.seek(saved["streams"])
        self.progress = Progress(**saved["progress"])
        self.progress.share = self._share()


def _below(prefix: str, tensors: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            yield name.removeprefix(prefix), tensor
