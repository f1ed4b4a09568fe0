"""Campaigns played on tabulated landscapes: how few simulations a way of deciding needs.

==================  ====================================================================================
``landscape``       what is played on: a pool to choose from, outcomes with noise or failure, a judge
``tables``          landscapes from files: our simulated ones, and any CSV
``mixtures``        landscapes in closed form, three to ten components, with known optima
``hypervolume``     how much of the trade-off a set of outcomes has
``strategies``      the contract ask/tell, and the blind references: random, Sobol
``steered``         DynaPhase's own way, and its surrogate behind any order
``peers``           scikit-learn's Gaussian process and Optuna's TPE
``play``            one campaign: what was chosen (search), how well was learned (accuracy)
``measures``        acceleration, enhancement, share of the best, bootstrap intervals
``results``         many campaigns → one JSON document
``render``          that document → figures and tables of docs/decisions.md
``verdict``         the figures that were wanted, measured, reached or not
``choosing_cost``   time and memory of one batch of 8 out of 5,151
==================  ====================================================================================
"""
