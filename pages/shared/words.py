"""The terms behind the plain words of the app, for tooltips."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

LATENT = (
    "Each record is compressed into a short list of numbers, its latent z (16 by default). "
    "Records that are alike lie close together there."
)
PROJECTION = (
    "A 2-D map is a projection of all latent dimensions onto paper: near points are usually alike, "
    "distances between far points mean little. Interpolation happens in the full latent, not on the map."
)
METHODS = {
    "pca": "PCA: the two directions in which the latents differ most. Straight, exact, at once.",
    "umap": "UMAP: keeps neighbours together and bends the rest. Axes and far distances mean nothing.",
    "tsne": "t-SNE: shows small groups; sizes of groups and gaps between them mean nothing.",
}
RECONSTRUCTION = (
    "Reconstruction loss: how surprised the decoder is by the true record when it reads its latent, "
    "in nats a record. Lower is better; the validation line is the one that counts."
)
KL = (
    "KL divergence in nats a record: how much information the latent carries about its record. "
    "Near 0 the latent is ignored (posterior collapse) and map and interpolation show nothing."
)
BETA = "Beta, the weight of the KL term: larger makes the latent smoother and emptier."
ACTIVE = "Active units: latent dimensions that carry information (KL above 0.02 nats)."
PRIOR = (
    "The prior learns where real records lie in the latent space, so that new points can be drawn there. "
    "Diffusion: denoises random points step by step. Gaussian mixture and Gaussian are simpler."
)
SHAPE = (
    "Shape error: how far the distributions of single columns are off, in per cent. A few hundred rows are uneven by "
    "chance, real ones too."
)
LM_LOSS = "Language-model loss: how surprised the decoder is by a held-out record, in nats a record."
COPY_LOSS = (
    "Copy loss: the same, when the decoder may read the record itself first. It learns to read its prefix."
)
TEMPERATURE = (
    "Temperature of the decoder: 1 keeps the distribution of the data, lower makes rows more typical "
    "and less varied, 0 always takes the most likely value."
)
VALIDITY = (
    "Share of the rows that parse and respect every column's type, range and categories, before any retry."
)
DUPLICATES = "Rows that occur more than once among the generated ones."
EXACT_COPIES = "Generated rows that equal a training row in every cell."
APART = (
    "Leaves out rows that lie nearer to a training row than 98 % of unseen real rows do. Takes about as long again; "
    "it lowers a risk and is no guarantee."
)
LINEAR = "Straight line between the two latents."
SPHERICAL = (
    "Along the arc between the two latents (slerp): keeps their length, passes through likelier places."
)
FINGERPRINT = "A checksum of content and split: the same data and split always have the same fingerprint."
SPLIT = "80 % of the rows to learn from, 10 % to decide when to stop, 10 % never shown, for the final scores."
SEED = "The same seed with the same settings gives the same rows."
TARGET = "The column that scores try to predict, to see whether synthetic rows are useful for learning."
RECONSTRUCTED = "Share of the cells of unseen rows that come back exactly from their latent (reconstruction)."
FROM_CORE = "The same from the core of the latent alone: the part that the map shows and that new rows are drawn from."
PROFILE = (
    "Each column of these records against all others on the map, the most different first: 0 is the same, 1 nothing in "
    "common. Numbers: median and middle half; categories: the value whose share differs most; texts: their words."
)
MORE_LIKE = (
    "Draws new points close to these ones in the full latent, with as much spread as they have, and writes them out. "
    "They follow this group, not the whole table."
)
EDIT = (
    "The direction in the latent along which this column changes most for the least change of everything, read off all "
    "real rows. Columns that go together in the data go along."
)


def record_word(rows: pd.DataFrame, count: int = 1) -> str:
    """What one record of a run is called, or several: a row of a table, or a document."""
    # Here, since it brings pandas, for which the heading that the first visitor sees does not wait.
    from pages.shared.documents import is_documents

    return ("document" if is_documents(rows) else "row") + ("" if count == 1 else "s")


def table_size(rows: int, columns: int) -> str:
    """Rows and columns in words."""
    counted = ((rows, "row"), (columns, "column"))
    return ", ".join(f"{count:,} {name}{'s' * (count != 1)}" for count, name in counted)
