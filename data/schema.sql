-- The catalogue: everything but raw activations. Rows are added, never overwritten; only run, cache and hookpoint change.
-- Ids come from sequences, so that verdicts lie in the order of explanations and blocks can be skipped. Times are UTC.
-- A feature is keyed by (hookpoint_id, feature); hookpoint_id is unique in the store and leads to its cache.

create sequence subject_ids;
create sequence sae_ids;
create sequence corpus_ids;
create sequence cache_ids;
create sequence hookpoint_ids;
create sequence explainer_ids;
create sequence scorer_ids;
create sequence run_ids;
create sequence explanation_ids;
create sequence item_ids;
create sequence note_ids;
create sequence saved_ids;
create sequence prefix_ids;
create sequence reply_ids;

create table schema_version (
    version integer,                 -- this file's version
    schema_sha256 varchar,           -- of this file
    applied_at timestamp
);

create table subject (
    subject_id uinteger primary key default nextval('subject_ids'),
    natural_key varchar unique,      -- name, revision, dtype and weights' hash
    name varchar,                    -- path or hub id as typed
    revision varchar,                -- hub revision; null for a folder
    architecture varchar,            -- class of the model
    dtype varchar,                   -- of the weights as run
    n_layers usmallint,
    d_model uinteger,                -- width of the residual stream
    vocabulary_size uinteger
);

create table sae (
    sae_id uinteger primary key default nextval('sae_ids'),
    natural_key varchar unique,      -- source, hookpoint and weights hash
    source varchar,                  -- path or repository
    hookpoint varchar,               -- module path in the subject
    kind varchar,                    -- topk, relu, jumprelu, ...
    weights_sha256 varchar,          -- of the weights file
    n_features uinteger,
    settings json                    -- k, threshold summary, switches, dtype
);

create table corpus (
    corpus_id uinteger primary key default nextval('corpus_ids'),
    natural_key varchar unique,      -- token hash and sequence length
    spec varchar,                    -- as typed: a file, a folder, python-docs, hf:...
    tokens_sha256 varchar,           -- of the token file
    tokenizer_sha256 varchar,        -- of the vocabulary
    token_dtype varchar,             -- u16 or u32
    sequence_length usmallint,       -- tokens
    n_sequences ubigint,
    n_documents ubigint,
    settings json                    -- BOS policy, separator, documents left out
);

create table cache (
    cache_id uinteger primary key default nextval('cache_ids'),
    name varchar unique,
    subject_id uinteger,
    corpus_id uinteger,
    status varchar,                  -- running, done
    folder varchar,                  -- relative to the store
    n_tokens ubigint,                -- all positions
    n_unmasked ubigint,              -- positions that may activate
    seed bigint,                     -- of splits and draws
    settings json,
    settings_hash varchar,
    created_at timestamp
);

create table hookpoint (
    hookpoint_id uinteger primary key default nextval('hookpoint_ids'),
    cache_id uinteger,
    name varchar,                    -- module path; ends in ":in" for the input side
    sae_id uinteger,
    status varchar,                  -- running, done
    n_features uinteger,
    n_alive uinteger,                -- fired at least once
    n_activations ubigint,           -- stored values
    fvu double,                      -- variance that the SAE leaves unexplained, on the first sequences; null: no decoder
    l0 double,                       -- active features a token there, mean
    loss double,                     -- cross-entropy of the subject there, nats a token; null: not measured; so below
    loss_spliced double,             -- with the reconstruction in place of what the SAE rebuilds
    loss_zero double,                -- with zeros there
    loss_mean double,                -- with the mean there; (loss_mean - loss_spliced) / (loss_mean - loss) is recovered
    unique (cache_id, name)
);

create table feature (
    hookpoint_id uinteger,
    feature uinteger,
    n_active ubigint,                -- tokens with a stored activation
    n_contexts uinteger,             -- distinct activating contexts
    density float,                   -- n_active / unmasked tokens, 0..1
    max_activation float,
    mean_activation float,           -- over active tokens
    top_token uinteger,              -- id of the token it fires on most
    top_token_share float,           -- of its firings, 0..1
    decoder_norm float,              -- null when the SAE has no decoder
    reason varchar                   -- why it is not explained or not scored in full: dead, rare, scarce, reduced, unknown (imported without activations of it); null = full protocol
);

create table feature_chart (
    hookpoint_id uinteger,
    feature uinteger,
    bin_width float,                 -- activation units; bin k covers [k, k + 1) * bin_width
    counts uinteger[],               -- activating contexts by peak, 40 bins
    position_counts uinteger[],      -- firings by position in the sequence
    decile_edges float[],            -- 11 peaks that bound the deciles; null when too few contexts
    top_tokens struct(token uinteger, n uinteger, mean float)[],  -- most frequent first, at most 20
    promoted struct(token uinteger, value float)[],    -- logits, strongest first, 10
    suppressed struct(token uinteger, value float)[],  -- logits, most negative first, 10
    value_centres float[],           -- exports of other tools: activations that are not zero, by size; centres of the bins
    value_counts float[],            -- and how many there are
    logit_centres float[],           -- of those, too: effects on all logits
    logit_counts float[]
);

create table example (
    hookpoint_id uinteger,
    feature uinteger,
    slot usmallint,                  -- number within the feature
    kind varchar,                    -- activating, random, token, neighbour, similar
    split varchar,                   -- train, test
    decile utinyint,                 -- 1 weakest .. 10 strongest; null: non-activating
    first_token ubigint,             -- index of the context's first token in the token file
    length usmallint,                -- tokens in the context; presets differ
    peak float,                      -- largest activation in the context
    source uinteger                  -- neighbour feature that the context was taken from; null otherwise
);

create table example_interval (      -- of exports that group contexts by intervals of equal width instead of deciles
    hookpoint_id uinteger,
    feature uinteger,
    first_token ubigint,             -- of the context
    low float,                       -- activation: low <= peak < high
    high float,
    share float                      -- of all tokens with such an activation, 0..1; null: not given
);

create table neighbour (
    hookpoint_id uinteger,
    feature uinteger,
    measure varchar,                 -- cosine, co-firing
    rank usmallint,                  -- 1 = nearest
    other uinteger,                  -- the other feature
    value float
);

create table explainer (
    explainer_id uinteger primary key default nextval('explainer_ids'),
    name varchar,                    -- grammar, plain, ...
    model varchar,                   -- null for the grammar
    settings json,
    settings_hash varchar unique     -- of name, model and settings
);

create table scorer (
    scorer_id uinteger primary key default nextval('scorer_ids'),
    name varchar,                    -- exact, detection, fuzzing, ...
    judge varchar,                   -- grammar or a model's name
    preset varchar,
    settings json,
    settings_hash varchar unique
);

create table run (
    run_id ubigint primary key default nextval('run_ids'),
    stage varchar,                   -- cache, explain, score, import
    cache_id uinteger,
    hookpoint_id uinteger,           -- null: all of the cache
    method_id uinteger,              -- explainer_id or scorer_id of the (first) method; null for cache
    settings json,
    settings_hash varchar,
    command varchar[],               -- that goes on with it, without the store; null: begun by a page
    status varchar,                  -- queued, running, interrupted, done, failed, cancelled
    total ubigint,                   -- units to do (features; tokens for cache)
    done ubigint,
    failed ubigint,
    pid uinteger,
    host varchar,
    heartbeat_at timestamp,
    n_calls ubigint,                 -- answers of language models used, known ones too
    input_tokens ubigint,            -- of those; null = unknown for one of them
    output_tokens ubigint,
    cost_usd double,                 -- null = unknown
    started_at timestamp,
    finished_at timestamp,
    error varchar
);

create table explanation (
    explanation_id ubigint primary key default nextval('explanation_ids'),
    natural_key varchar unique,      -- hash of feature, explainer, seed and run attempt
    hookpoint_id uinteger,
    feature uinteger,
    explainer_id uinteger,
    run_id ubigint,
    seed bigint,
    text varchar,                    -- null: no usable explanation
    rule varchar,                    -- grammar: canonical text of the rules
    status varchar,                  -- done, failed, skipped
    error varchar,                   -- why there is no text
    prompt varchar,                  -- as sent; null for the grammar
    reply varchar,                   -- as received
    example_tokens ubigint[],        -- first tokens of the contexts it saw; null: all train tokens
    calls ubigint[],                 -- reply_id of every call made for it, in order; null: none
    detail json,                     -- candidates, rounds, quotes: what only this explainer has
    input_tokens uinteger,
    output_tokens uinteger,
    cost_usd double,                 -- null = unknown; 0 for the grammar
    seconds float,
    created_at timestamp
);

create table item (
    item_id ubigint primary key default nextval('item_ids'),
    hookpoint_id uinteger,
    feature uinteger,
    scorer varchar,                  -- what is asked
    preset varchar,                  -- sizes and kinds it was drawn for
    slot usmallint,                  -- its context in example; null: it is about no context
    kind varchar,                    -- activating, random, token, neighbour, similar, wrong-mark, or its scorer
    decile utinyint,                 -- of an activating (rightly marked) context; null otherwise
    marks usmallint[],               -- marked token offsets, 0 .. context length - 1; null: none
    shown json                       -- every context of a question in its place; output-side: every text set
);

create table score (
    explanation_id ubigint,
    scorer_id uinteger,
    run_id ubigint,
    metric varchar,                  -- balanced_accuracy, f1, ...
    value double,                     -- null: undefined
    low double,                       -- 95 % interval
    high double,
    tpr double,
    tnr double,
    n_judged uinteger,               -- usable verdicts
    n_failed uinteger,
    detail json,                     -- counts by decile and kind; what only this scorer has
    n_calls uinteger,                -- answers of a language model behind it; null: none
    input_tokens uinteger,           -- of those; null = unknown for one of them
    output_tokens uinteger,
    cost_usd double,                 -- null = unknown
    created_at timestamp,
    primary key (explanation_id, scorer_id)
);

create table verdict (
    explanation_id ubigint,
    scorer_id uinteger,
    item_id ubigint,
    expected boolean,
    predicted boolean,               -- null: no usable reply
    probability float,               -- of "yes"; null where the judge gives none
    value float,                     -- what is ranked (similarity, information); null elsewhere
    answer utinyint,                 -- place chosen among several contexts, 1..; null elsewhere
    reply_id ubigint                 -- judge's reply it was read from; null: none
);

create table simulated (
    explanation_id ubigint,
    scorer_id uinteger,
    item_id ubigint,
    predicted float[],               -- 0..10 a token; null: no usable reply
    reply_id ubigint
);

create table generated (
    explanation_id ubigint,
    scorer_id uinteger,
    place usmallint,                 -- among the texts written for this explanation, from 0
    text varchar,
    max_activation float,            -- raw, special positions left out; null: could not be run
    reply_id ubigint
);

create table null_score (
    hookpoint_id uinteger,
    feature uinteger,                -- whose items were asked about
    scorer_id uinteger,
    explainer_id uinteger,           -- of the explanations that were exchanged
    run_id ubigint,
    kind varchar,                    -- shuffled, neighbour, always-yes
    other uinteger,                  -- feature whose explanation it was; null: none
    explanation_id ubigint,          -- that explanation; null: none
    value double,                    -- null: undefined
    n_judged uinteger,
    n_failed uinteger,
    detail json,
    created_at timestamp
);

create table request_prefix (
    prefix_id uinteger primary key default nextval('prefix_ids'),
    sha256 varchar unique,           -- of the messages
    messages json                    -- [role, content] of every turn before the question
);

create table reply (
    reply_id ubigint primary key default nextval('reply_ids'),
    request_sha256 varchar unique,   -- of address, model, messages and parameters
    address varchar,                 -- base URL, without anything secret
    model varchar,
    purpose varchar,                 -- what was asked, in a word
    prefix_id uinteger,              -- the turns before the question
    question varchar,                -- the last turn
    parameters json,
    text varchar,                    -- the answer as received
    finish varchar,                  -- stop, length, ...
    logprobs json,                   -- [token, logprob, {alternative: logprob}] each; null: none
    input_tokens uinteger,           -- as counted by the endpoint; null = it did not say
    output_tokens uinteger,
    cost_usd double,                 -- null = no price known
    seconds float,
    created_at timestamp
);

create table decile_summary (
    run_id ubigint,
    hookpoint_id uinteger,
    explainer_id uinteger,
    scorer_id uinteger,
    decile utinyint,                 -- null: non-activating
    n ubigint,
    n_right ubigint,
    n_failed ubigint
);

create table note (
    note_id ubigint primary key default nextval('note_ids'),
    hookpoint_id uinteger,
    feature uinteger,
    tag varchar,                     -- bookmark, label, remark; the newest of a tag holds
    text varchar,                    -- null: taken back
    created_at timestamp
);

create table saved (
    saved_id ubigint primary key default nextval('saved_ids'),
    kind varchar,                    -- view, settings, query
    name varchar,                    -- the newest of a kind and name holds
    body json,                       -- what the kind's page makes of it; null: taken back
    created_at timestamp
);

create table feature_summary (       -- derived: what the table of features sorts and filters by
    hookpoint_id uinteger,
    feature uinteger,
    explanation_id ubigint,          -- shown for it: usable, by the first judge, the best by detection, of equals the newest
    n_explanations uinteger,         -- usable ones
    detection double,                -- headline scores of the shown one with their 95 % intervals
    detection_low double,
    detection_high double,
    fuzzing double,
    fuzzing_low double,
    fuzzing_high double,
    exact double,
    exact_low double,
    exact_high double,
    n_judged uinteger,               -- usable verdicts of the shown one, the exact check left out
    n_failed uinteger,
    judge varchar                    -- of the detection, else of the fuzzing; null = not scored
);

create table import_report (
    cache_id uinteger,
    run_id ubigint,                  -- of the import
    severity varchar,                -- info, warning, error
    code varchar,
    n ubigint,                       -- how often
    example varchar,                 -- the first place it was seen at
    explanation varchar              -- what it means and what was done about it, in a sentence
);

-- Interventions
create sequence intervention_study_ids;

create table intervention_study (    -- what makes figures of interventions comparable
    study_id uinteger primary key default nextval('intervention_study_ids'),
    judge varchar,                   -- model that finds explanations likely
    explainer varchar,               -- model that writes them; null: a template
    settings json,                   -- prompts, tokens, few-shots of the judge
    settings_hash varchar unique
);

create table intervention (
    study_id uinteger,
    hookpoint_id uinteger,
    arm varchar,                     -- feature, ablation, random-sae, shuffled
    feature uinteger,                -- of the random SAE in that arm
    target double,                   -- KL aimed at, nats; null: an ablation
    run_id ubigint,
    explanation_id ubigint,          -- arm feature only
    scorer_id uinteger,              -- arm feature only
    other uinteger,                  -- shuffled: whose candidates they are
    text varchar,                    -- the explanation that was chosen; null: none
    candidates json,                 -- [text, mean difference on the prompts for choosing in nats or null]
    strength double,                 -- units of the feature's activation; null: none
    kl double,                       -- achieved on the prompts of the score, nats
    reason varchar,                  -- why there is no score; null: there is one
    note varchar,                    -- where fewer prompts were used than wanted
    value double,                    -- nats; mean over prompts of log p(text | steered) - log p(text | clean)
    low double,                      -- 95 % bootstrap interval over prompts
    high double,
    error double,                    -- standard error over prompts, nats
    per_token double,                -- nats a token of the explanation
    n_tokens uinteger,               -- of the explanation with its quotation mark, as the judge cuts it
    n_prompts uinteger,              -- of the score, with an answer
    n_failed uinteger,               -- without one
    tried json,                      -- [strength, KL in nats] of every strength that was run
    created_at timestamp
);

create table intervention_prompt (
    study_id uinteger,
    hookpoint_id uinteger,
    arm varchar,
    feature uinteger,
    target double,
    place usmallint,                 -- among the prompts of the feature
    role varchar,                    -- explain, select, score
    first_token ubigint,             -- index of its first token in the token file, BOS left out
    length usmallint,                -- tokens; the last one is where the feature begins to fire
    quintile utinyint,               -- of its context by largest activation, 1 weakest .. 5
    clean uinteger[],                -- new tokens without the edit; shuffled: null, as those of arm feature
    steered uinteger[],              -- and with it
    kl double,                       -- of the next token, nats
    rising struct(token uinteger, "before" float, "after" float)[],  -- largest gain of probability first
    difference double                -- nats, of the chosen explanation; null: not asked, or no answer
);

-- Filters

create table feature_measure (       -- by the filters; null: too few firings or sequences
    hookpoint_id uinteger,
    feature uinteger,
    run_id ubigint,
    information double,              -- of the position about whether it fires, nats
    position_share double,           -- of the entropy of whether it fires, 0..1
    n_tokens uinteger,               -- distinct token ids among the strongest 80 % of its active tokens
    n_previous uinteger,             -- distinct ids right before those
    tokens uinteger[],               -- those ids, most frequent first; null: too many for the filter
    previous uinteger[],
    strongest_share double,          -- of the most frequent id among its 50 strongest tokens, 0..1
    stronger_share double,           -- of the most frequent id among 100 drawn from the stronger half
    token_entropy double,            -- of ids over its firings, nats
    token_entropy_weighted double,   -- with every firing weighted by its activation
    skewness double,                 -- of its activations
    crossing_share double            -- of its activating contexts, those in which another document begins, 0..1
);

create table scrambled (             -- unigram features on random tokens that end in one of their own
    hookpoint_id uinteger,
    feature uinteger,
    run_id ubigint,
    token uinteger,                  -- id at the end; null: not run
    n usmallint,                     -- sequences
    n_fired usmallint,               -- sequences in which it fires at the end
    reason varchar                   -- why it was not run; null: it was
);

-- Baselines

-- Similarity

create sequence similarity_ids;

create table similarity (            -- two SAEs compared by one measure: the features matched one to one
    similarity_id uinteger primary key default nextval('similarity_ids'),
    settings_hash varchar unique,    -- of the hookpoints, the measure and the settings
    run_id ubigint,
    measure varchar,                 -- decoder, explanations, co-firing
    first_id uinteger,               -- hookpoint_id; the newest row of a measure and two hookpoints holds
    second_id uinteger,              -- hookpoint_id
    settings json,
    method varchar,                  -- how features were matched: exact, greedy
    n_first uinteger,                -- features that took part
    n_second uinteger,
    n_pairs uinteger,                -- matched: of the smaller side all
    value double,                    -- mean similarity of the pairs: a cosine, a Jaccard index; null: no pair
    baseline double,                 -- the same of its control, which is what chance gives
    low double,                      -- 95 % interval of value - baseline
    high double,
    n_shared uinteger,               -- pairs whose decoder and encoder cosines are above 0.7; null: another measure
    detail json,                     -- what only this measure has
    created_at timestamp
);

create table similarity_pair (
    similarity_id uinteger,
    feature uinteger,                -- of the first SAE
    other uinteger,                  -- its partner in the second
    value float,
    encoder float                    -- cosine of the encoder directions; null: another measure
);

create table similarity_near (       -- the most similar features of the other SAE, whoever else has them
    similarity_id uinteger,
    hookpoint_id uinteger,           -- of feature: either side
    feature uinteger,
    rank utinyint,                   -- 1 = most similar
    other uinteger,
    value float
);

-- Collections

create sequence collection_ids;

create table collection (            -- a named list of features over several hookpoints of a cache, e.g. of a circuit
    collection_id uinteger primary key default nextval('collection_ids'),
    name varchar unique,
    cache_id uinteger,
    source varchar,                  -- file it was read from, pasted
    created_at timestamp
);

create table collection_member (
    collection_id uinteger,
    place uinteger,                  -- in the list, from 0
    hookpoint_id uinteger,
    feature uinteger,
    label varchar                    -- what the list says of it; null: nothing
);

-- Two models

create sequence diff_ids;

create table diff (                  -- one question about two subjects at one hookpoint
    diff_id uinteger primary key default nextval('diff_ids'),
    natural_key varchar unique,      -- hash of kind, hookpoints and settings
    kind varchar,                    -- features, pairs, noise
    first_hookpoint uinteger,        -- hookpoint_id in the first cache, the reference
    second_hookpoint uinteger,       -- hookpoint_id in the second cache; null: one subject alone
    run_id ubigint,
    settings json,
    facts json,                      -- counts, and what only this kind has; null: not finished
    created_at timestamp
);

create table diff_feature (          -- kind features; differences are second minus first, on held-out sequences
    diff_id uinteger,
    feature uinteger,
    first_mean double,               -- activation a token, over all sequences
    second_mean double,
    first_rate double,               -- share of tokens it fires on, 0..1
    second_rate double,
    mean double,                     -- difference of the mean activation a token; so below, with its 95 % interval
    mean_low double,
    mean_high double,
    mean_p double,                   -- sign-flip test on the half that chooses
    mean_q double,                   -- Benjamini-Hochberg over all features
    mean_held double,                -- q on the held-out half, over the chosen features; null: not chosen
    rate double,
    rate_low double,
    rate_high double,
    rate_p double,
    rate_q double,
    rate_held double,
    auroc double,                    -- chance that a sequence has more of it in the second subject, ties half
    auroc_low double,
    auroc_high double
);

create table pair_feature (          -- kind pairs: activation a token of text a minus that of text b
    diff_id uinteger,
    feature uinteger,
    side utinyint,                   -- 1 first subject, 2 second, 3 second minus first
    n uinteger,                      -- pairs with a difference that is not 0
    difference double,               -- mean over pairs, with its 95 % interval
    low double,
    high double,
    p double,                        -- sign-flip test over pairs
    q double                         -- Benjamini-Hochberg over those that differ in half of the pairs, or ten; null: too few
);

create table noise_point (           -- kind noise
    diff_id uinteger,
    side utinyint,                   -- 1 first subject, 2 second
    direction varchar,               -- noise, feature, random
    strength double,                 -- in units of length
    length double,                   -- mean length of the subject's own vectors there, raw
    kl double[],                     -- KL(clean || changed) of the token after each prompt, nats; null: not finite
    target double[]                  -- log-probability of the target text after each prompt, nats; null: none given
);

create table guess (                 -- the blind game: which of two subjects is the second one?
    diff_id uinteger,                -- kind features: whose features were shown
    question usmallint,              -- from 0; each is asked in both orders
    swapped boolean,                 -- the second subject was shown as X
    features uinteger[],             -- that were shown
    who varchar,                     -- person, or the name of a language model
    answer utinyint,                 -- 1, 2: the subject taken for the second one; null: no usable answer
    created_at timestamp
);

create index feature_key on feature (hookpoint_id, feature);
create index chart_key on feature_chart (hookpoint_id, feature);
create index explanation_key on explanation (hookpoint_id, feature);
