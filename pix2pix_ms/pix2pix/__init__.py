"""The paper (Isola et al. 2017): networks, objective, step, translation, measures."""
