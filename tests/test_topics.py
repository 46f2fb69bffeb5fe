"""Topics: a code of words that tells documents apart, and pushes towards the words of one."""

from __future__ import annotations

import torch

from difflm.models.topics import Topics, counts

VOCABULARY, SIZE = 40, 4


def documents(n: int = 60, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Half of them about tokens 0..9, half about 10..19, all with 20..29; of different lengths."""
    generator = torch.Generator().manual_seed(seed)
    theme = torch.arange(n) % 2 * 10
    own = torch.randint(0, 10, (n, 12), generator=generator) + theme[:, None]
    shared = torch.randint(20, 30, (n, 6), generator=generator)
    ids = torch.cat([own, shared], dim=1)
    there = torch.arange(18)[None] < torch.randint(10, 19, (n, 1), generator=generator)
    return ids, there


def test_counts_leave_padding_out() -> None:
    ids, there = torch.tensor([[3, 3, 0], [1, 0, 0]]), torch.tensor([[True, True, False], [True, True, True]])
    assert counts(ids, there, 4).tolist() == [[0, 0, 0, 2], [2, 1, 0, 0]]


def test_fitted_latents_are_standardised_and_tell_themes_apart() -> None:
    ids, there = documents()
    topics = Topics(VOCABULARY, SIZE)
    topics.begin_with(ids, there)
    z = topics.mu(ids, there)
    assert torch.allclose(z.mean(dim=0), torch.zeros(SIZE), atol=1e-4)
    assert torch.allclose(z.std(dim=0, correction=0), torch.ones(SIZE), atol=1e-4)
    new = topics.mu(*documents(seed=1))
    assert (new[0::2, 0].sign() == new[0, 0].sign()).all() and (new[1::2, 0].sign() != new[0, 0].sign()).all()


def test_a_document_is_likelier_under_its_own_push() -> None:
    topics = Topics(VOCABULARY, SIZE)
    topics.begin_with(*documents())
    ids, there = documents(seed=1)
    z = topics.mu(ids, there)

    def nats(latents: torch.Tensor, sigma: float) -> float:
        logits = topics.logits(latents, torch.full((len(latents),), sigma)).log_softmax(dim=1)
        return float(-(logits.detach().gather(1, ids) * there).sum() / there.sum())

    other = z.roll(1, dims=0)
    assert nats(z, 0.0) < nats(torch.zeros_like(z), 0.0) - 0.1 < nats(other, 0.0)
    assert nats(z, 0.0) < nats(z, 2.0), "what is said to be noisy pushes less"


def test_the_same_documents_give_the_same_maps_and_leave_the_random_state() -> None:
    made = []
    for _ in range(2):
        before = torch.get_rng_state()
        topics = Topics(VOCABULARY, SIZE)
        topics.begin_with(*documents())
        assert torch.equal(before, torch.get_rng_state())
        made.append(topics)
    assert torch.equal(made[0].read, made[1].read) and torch.equal(made[0].push, made[1].push)


def test_few_or_equal_documents_push_nothing() -> None:
    for ids in (torch.zeros(1, 3, dtype=torch.long), torch.zeros(5, 3, dtype=torch.long)):
        topics = Topics(VOCABULARY, SIZE)
        topics.begin_with(ids, torch.ones_like(ids, dtype=torch.bool))
        z = topics.mu(ids, torch.ones_like(ids, dtype=torch.bool))
        assert torch.isfinite(z).all() and torch.isfinite(topics.logits(z, torch.zeros(len(z)))).all()


def test_only_the_strength_is_trained() -> None:
    topics = Topics(VOCABULARY, SIZE)
    assert [name for name, p in topics.named_parameters() if p.requires_grad] == ["gain"]
