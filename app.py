"""The app: `streamlit run app.py`. Declares the pages; everything they share is in pages/shared."""

from __future__ import annotations

import streamlit as st

from pages.shared.models import arrived
from pages.shared.public import clean_up
from pages.shared.session import ROOT, take_wanted

arrived()
st.set_page_config(page_title="difflm", page_icon=":material/grain:", layout="wide")

PAGES = {
    "": [st.Page("pages/home.py", title="Home", icon=":material/home:", default=True)],
    "Make a model": [
        st.Page("pages/data.py", title="Data", icon=":material/table:", url_path="data"),
        st.Page("pages/train.py", title="Train", icon=":material/model_training:", url_path="train"),
        st.Page("pages/runs.py", title="Runs", icon=":material/list:", url_path="runs"),
    ],
    "See how it works": [
        st.Page(
            "pages/latent_map.py", title="Latent map", icon=":material/scatter_plot:", url_path="latent_map"
        ),
        st.Page(
            "pages/interpolate.py", title="Interpolate", icon=":material/timeline:", url_path="interpolate"
        ),
    ],
    "Use the records": [
        st.Page("pages/generate.py", title="Generate", icon=":material/auto_awesome:", url_path="generate"),
        st.Page("pages/compare.py", title="Compare", icon=":material/balance:", url_path="compare"),
        st.Page("pages/share.py", title="Share", icon=":material/share:", url_path="share"),
    ],
}

page = st.navigation(PAGES)
if "visitor" not in st.session_state:
    clean_up()
wanted = take_wanted()
if wanted is not None:
    st.switch_page(f"pages/{wanted[0]}.py", query_params=wanted[1])
try:
    page.run()
finally:
    # Last, since a picture brings numpy and Pillow, for which the heading that the first visitor sees does not wait.
    st.logo(
        ROOT / "assets" / ("logo-dark.svg" if st.context.theme.type == "dark" else "logo.svg"), size="large"
    )
