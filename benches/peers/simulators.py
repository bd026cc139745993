#!/usr/bin/env python3
"""Other simulators, measured on request by `speed.py`: each runs in an environment of its own, because their pins exclude one another.

    python simulators.py numpy 10000      # or: sardine, recsim, recsim_ng

It says `ready`, then measures at least one second for each line that it reads, and answers with seconds and user-steps. Slates
have 10 of 1,000 items; the policy is random, in RecSim NG its untrained collaborative filter.
"""

import os
import sys
import time
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
warnings.filterwarnings("ignore")

SLATE, ITEMS = 10, 1000
SECONDS = 1.0


def numpy_user(users):
    """SARDINE's bored user over many users at a time, vectorised by hand: logistic relevance, position bias, boredom."""
    import numpy as np

    random, topics = np.random.default_rng(0), 10
    embedding = random.random((ITEMS, topics))
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    topic = embedding.argmax(1)
    taste = random.random((users, topics))
    taste /= np.linalg.norm(taste, axis=1, keepdims=True)
    examined = 0.85 ** np.arange(SLATE)
    history = np.zeros((5, users, topics), np.int16)
    bored = np.zeros((users, topics), bool)
    left = np.full((users, topics), 5)
    rows = np.broadcast_to(np.arange(users)[:, None], (users, SLATE))
    step = 0

    def tick():
        nonlocal step
        slates = random.integers(0, ITEMS, (users, SLATE))
        now = np.where(bored.any(1, keepdims=True), 0.0, taste)
        score = np.einsum("nst,nt->ns", embedding[slates], now)
        clicked = random.random((users, SLATE)) < 1 / (1 + np.exp(-(score - 0.65) * 100)) * examined
        latest = history[step % 5]
        latest[:] = 0
        np.add.at(latest, (rows[clicked], topic[slates][clicked]), 1)
        left[bored] -= 1
        bored[left <= 0] = False
        left[~bored] = 5
        bored[history.sum(0) >= 5] = True
        step += 1
        return users

    return tick


def sardine(users):
    """The users of `sardine/SlateTopK-Bored-v0`, an environment each: it has no form for several users."""
    import gymnasium
    import numpy as np
    import sardine  # noqa: F401

    random = np.random.default_rng(0)
    make = lambda: gymnasium.make("sardine/SlateTopK-Bored-v0", disable_env_checker=True).unwrapped  # noqa: E731
    environments = [make() for _ in range(users)]
    for seed, environment in enumerate(environments):
        environment.reset(seed=seed)

    def tick():
        slates = random.integers(0, ITEMS, (users, SLATE))
        for environment, slate in zip(environments, slates):
            _, _, terminated, truncated, _ = environment.step(slate)
            if terminated or truncated:
                environment.reset()
        return users

    return tick


def recsim(users):
    """The users of interest evolution in RecSim's own environment of several users."""
    import numpy as np
    from recsim import choice_model
    from recsim.environments import interest_evolution
    from recsim.simulator import environment

    random = np.random.default_rng(0)
    people = [
        interest_evolution.IEvUserModel(
            SLATE,
            choice_model_ctor=choice_model.MultinomialProportionalChoiceModel,
            response_model_ctor=interest_evolution.IEvResponse,
            user_state_ctor=interest_evolution.IEvUserState,
            seed=seed,
        )
        for seed in range(users)
    ]
    documents = interest_evolution.UtilityModelVideoSampler(doc_ctor=interest_evolution.IEvVideo, seed=0)
    everyone = environment.MultiUserEnvironment(people, documents, ITEMS, SLATE, resample_documents=False)
    everyone.reset()

    def tick():
        live = sum(1 for user in people if not user.is_terminal())
        if everyone.step(list(random.integers(0, ITEMS, (users, SLATE))))[3]:
            everyone.reset()
        return live

    return tick


def recsim_ng(users):
    """The story of interest evolution as one graph of 20 steps."""
    import functools

    import tensorflow as tf
    from recsim_ng.applications.recsys_partially_observable_rl import corpus, metrics, recommender, user
    from recsim_ng.core import network
    from recsim_ng.lib.tensorflow import entity, runtime
    from recsim_ng.stories import recommendation_simulation

    steps = 20
    config = {"num_users": users, "num_topics": 2, "num_docs": ITEMS, "slate_size": SLATE, "history_length": 15}

    def items(config):
        return corpus.StaticCorpus(config, corpus.CorpusWithTopicAndQuality(config).initial_state())

    story = functools.partial(
        recommendation_simulation.recs_story,
        config,
        user.InterestEvolutionUser,
        items,
        functools.partial(recommender.CollabFilteringRecommender),
        metrics.ConsumedTimeAsRewardMetrics,
    )
    variables, _ = entity.story_with_trainable_variables(story)
    execution = runtime.TFRuntime(network=network.Network(variables=variables))

    @tf.function
    def run():
        return network.find_unique_field(execution.execute(num_steps=steps), field_name="cumulative_reward")[1]

    def tick():
        run()
        return users * steps

    return tick


def main():
    kinds = {"numpy": numpy_user, "sardine": sardine, "recsim": recsim, "recsim_ng": recsim_ng}
    tick = kinds[sys.argv[1]](int(sys.argv[2]))
    tick()
    print("ready", flush=True)
    for _ in sys.stdin:
        done, start = 0, time.perf_counter()
        while time.perf_counter() - start < SECONDS:
            done += tick()
        print(time.perf_counter() - start, done, flush=True)


if __name__ == "__main__":
    main()
