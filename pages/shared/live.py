"""The live view of one run: state, buttons, curves, sample rows, warnings."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from difflm import jobs
from difflm.curves import Curves
from difflm.runs import ACTIVE, Run
from pages.shared import charts
from pages.shared.palette import Palette
from pages.shared.picker import ago, badge, has_model, is_demo
from pages.shared.public import may_train
from pages.shared.states import next_steps, shown
from pages.shared.words import ACTIVE as ACTIVE_HELP
from pages.shared.words import BETA, COPY_LOSS, KL, LM_LOSS, PRIOR, RECONSTRUCTION, SHAPE

SECONDS = 2.0
STAGES = {
    "lm": "learning the language of the records",
    "vae": "learning the latent space",
    "prior": "learning where records lie",
}


def watch(run: Run) -> None:
    """Draw the run; refresh by itself only while it runs, and once more when it ends."""
    running = run.status.state in ACTIVE

    @st.fragment(run_every=SECONDS if running else None)
    def live() -> None:
        fresh = Run.open(run.path)
        if running and fresh.status.state not in ACTIVE:
            st.rerun()
        view(fresh)

    live()
    if not running and has_model(run):
        next_steps(
            ("latent_map", "See the map", ":material/scatter_plot:"),
            ("generate", "Generate records", ":material/auto_awesome:"),
            ("compare", "Compare with the real records", ":material/balance:"),
        )


def curves_of(run: Run) -> Curves:
    """The curves of a run, kept in the session and grown from where the file was last read to."""
    kept: dict[str, Curves] = st.session_state.setdefault("curves", {})
    file = Path(run.path) / "metrics.jsonl"
    curves = kept.get(str(run.path), Curves())
    if file.exists() and file.stat().st_size < curves.offset:
        curves = Curves()
    rows, curves.offset = run.read_metrics(curves.offset)
    curves.extend(rows)
    kept[str(run.path)] = curves
    return curves


def view(run: Run) -> None:
    """State, buttons and curves as they are now."""
    status, curves, palette = run.status, curves_of(run), Palette.current()
    with st.container(horizontal=True, vertical_alignment="center"):
        badge(run)
        st.markdown(_sentence(run), width="content")
    if status.state in ACTIVE:
        st.progress(
            min(1.0, max(0.0, status.progress or 0.0)),
            text=status.message or STAGES.get(status.stage or "", ""),
        )
    if status.state == "failed":
        st.error(
            status.error or "The run ended without saying why; its log is below.", icon=":material/error:"
        )
    _buttons(run)
    if found := _warnings(curves):
        st.warning("  \n".join(text[:1].upper() + text[1:] for text in found), icon=":material/warning:")
    if not curves.series:
        st.info("Curves appear here after the first seconds of training.", icon=":material/show_chart:")
    else:
        _panels(run, curves, palette)
        st.caption("Solid: records it learns from. Dashed: unseen ones (validation).")
    if curves.samples:
        st.subheader(
            "Records written during training",
            anchor=False,
            help=f"After {curves.sampled_at / 60:.1f} minutes of training. There is no prior yet: they are "
            "written from a rough guess of where records lie, so the finished model's are better.",
        )
        if (valid := curves.last("vae", "validation", "valid")) is not None:
            shape, real = (curves.last("vae", "validation", name) for name in ("shape", "shape_of_real"))
            compared = (
                f"; shape error {shape:.1f} % (as many unseen real rows: {real:.1f} %)"
                if shape is not None and real is not None
                else ""
            )
            st.caption(f"{valid:.0%} of them fit the schema at the first try{compared}.", help=SHAPE)
        st.dataframe(pd.DataFrame(curves.samples), hide_index=True, alt="Sample records during training")
    log = Path(run.path) / "log.txt"
    if log.exists() and log.stat().st_size:
        with st.expander("Log", icon=":material/notes:", expanded=status.state == "failed"):
            st.code("\n".join(log.read_text(errors="replace").splitlines()[-60:]), language=None)


def _sentence(run: Run) -> str:
    status = run.status
    if status.state == "queued":
        return "Waits until the run before it has ended: one at a time on a machine."
    if status.state in ACTIVE:
        return STAGES.get(status.stage or "", "starting").capitalize() + "."
    return f"Ended {ago(status.updated)}." if status.updated else ""


def _buttons(run: Run) -> None:
    state = run.status.state
    with st.container(horizontal=True), shown():
        if state in ("running", "queued") and st.button(
            "Stop and save",
            icon=":material/stop_circle:",
            key="stop",
            help="Ends after the current step and leaves a model that can be used and resumed.",
        ):
            jobs.stop(run)
            st.rerun()
        if state in ACTIVE and st.button(
            "Kill",
            icon=":material/dangerous:",
            key="kill",
            help="Ends at once. What was saved in the last minute is kept.",
        ):
            jobs.kill(run)
            st.rerun()
        if (
            state in ("stopped", "failed")
            and not is_demo(run)
            and may_train()
            and st.button(
                "Resume",
                icon=":material/resume:",
                key="resume",
                type="primary",
                help="Goes on exactly where it stopped.",
            )
        ):
            jobs.resume(run)
            st.rerun()


def _warnings(curves: Curves) -> list[str]:
    found = list(curves.warnings)
    if slowed := curves.slowed():
        shares = (f"{done:,} of {of:,} steps for {STAGES[stage]}" for stage, (done, of) in slowed.items())
        found.append(f"The machine was busy: to keep the time limit, {', '.join(shares)}.")
    if curves.collapsed() and not any("collapse" in text for text in found):
        found.append(
            "The latent carries almost nothing (posterior collapse): map and interpolation will mean little. "
            "Start again with a smaller `beta.end`."
        )
    if curves.overfitted():
        found.append(
            "Validation gets worse while training goes on (overfitting). The best weights so far are kept."
        )
    if curves.diverged():
        found.append(
            "The loss has risen far above where it began. Stop, and start again with a smaller learning rate."
        )
    return found


def _panels(run: Run, curves: Curves, palette: Palette) -> None:
    columns = st.columns(3, gap="medium")
    with columns[0]:
        st.markdown("**1 · Language of the records**", help=f"{LM_LOSS}\n\n{COPY_LOSS}")
        if curves.last("lm", "train", "loss") is None and curves.last("vae", "train", "kl") is not None:
            st.caption("Left out: this training begins with the latent space.")
        else:
            _chart(charts.language_panel(curves, palette), "panel-lm", "Language model loss")
    with columns[1]:
        st.markdown("**2 · Latent space**", help=f"{RECONSTRUCTION}\n\n{KL}\n\n{BETA}")
        if curves.last("vae", "train", "kl") is None:
            st.caption("Begins when the language is learned.")
        else:
            _chart(charts.latent_panel(curves, palette), "panel-vae", "Reconstruction and KL")
        active, right = (
            curves.last("vae", "validation", "active"),
            curves.last("vae", "validation", "accuracy"),
        )
        words = [] if active is None else [f"{active:.0f} latent dimensions in use"]
        words += [] if right is None else [f"{right:.0%} of unseen cells rebuilt exactly"]
        if words:
            st.caption(" · ".join(words), help=ACTIVE_HELP)
    with columns[2]:
        kind = {"diffusion": "diffusion", "gmm": "Gaussian mixture", "gaussian": "Gaussian"}.get(
            curves.prior_kind, ""
        )
        st.markdown(f"**3 · Where records lie**{f' ({kind})' if kind else ''}", help=PRIOR)
        if curves.last("prior", "train", "loss") is None:
            st.caption("Begins when the latent space is learned.")
        else:
            _chart(charts.prior_panel(curves, palette), "panel-prior", "Loss of the prior")


def _chart(figure: go.Figure, key: str, words: str) -> None:
    st.plotly_chart(figure, key=key, config=charts.CONFIG, alt=words)
