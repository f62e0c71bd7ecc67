//! The variables by which model providers are used that OpenCode knows, as models.dev lists them (July 2026).

use super::cloud::{Cloud, UsedWhen};

/// Keys that open a model and nothing else.
const MODEL_KEYS: &str = "\
    302AI_API_KEY ABACUS_API_KEY ABLIT_KEY AIHUBMIX_API_KEY AI_GATEWAY_API_KEY \
    ALIBABA_CODING_PLAN_API_KEY ALIBABA_TOKEN_PLAN_API_KEY AMBIENT_API_KEY ANTHROPIC_API_KEY \
    ANYAPI_API_KEY ATOMIC_CHAT_API_KEY AURIKO_API_KEY BAILING_API_TOKEN BASETEN_API_KEY BERGET_API_KEY \
    CEREBRAS_API_KEY CHUTES_API_KEY CLAUDINIO_API_KEY CLOUDFERRO_SHERLOCK_API_KEY COHERE_API_KEY \
    CORTECS_API_KEY CROF_API_KEY DASHSCOPE_API_KEY DEEPINFRA_API_KEY DEEPSEEK_API_KEY DINFERENCE_API_KEY \
    DRUN_API_KEY EVROC_API_KEY FASTROUTER_API_KEY FIREWORKS_API_KEY FREEMODEL_API_KEY FRIENDLI_TOKEN \
    FROGBOT_API_KEY GEMINI_API_KEY GMICLOUD_API_KEY GOOGLE_API_KEY GOOGLE_GENERATIVE_AI_API_KEY \
    GROQ_API_KEY HELICONE_API_KEY HPC_AI_API_KEY IFLOW_API_KEY INCEPTION_API_KEY INCEPTRON_API_KEY \
    INFERENCE_API_KEY IOINTELLIGENCE_API_KEY JIEKOU_API_KEY KILO_API_KEY KIMI_API_KEY KUAE_API_KEY \
    LILAC_API_KEY LLAMA_API_KEY LLMGATEWAY_API_KEY LLMTR_API_KEY LMSTUDIO_API_KEY LUCIDQUERY_API_KEY \
    MEGANOVA_API_KEY MERGE_GATEWAY_API_KEY MINIMAX_API_KEY MISTRAL_API_KEY MIXLAYER_API_KEY \
    MOARK_API_KEY MOONSHOT_API_KEY MORPH_API_KEY NANO_GPT_API_KEY NEARAI_API_KEY NEBIUS_API_KEY \
    NEURALWATT_API_KEY NOVA_API_KEY NOVITA_API_KEY NVIDIA_API_KEY OLLAMA_API_KEY OPENAI_API_KEY \
    OPENROUTER_API_KEY ORCAROUTER_API_KEY PERPLEXITY_API_KEY POE_API_KEY POOLSIDE_API_KEY \
    PRIVATEMODE_API_KEY PRIVATEMODE_ENDPOINT QIHANG_API_KEY QINIU_API_KEY REGOLO_API_KEY \
    REQUESTY_API_KEY ROUTING_RUN_API_KEY SAKANA_API_KEY SARVAM_API_KEY SILICONFLOW_API_KEY \
    SILICONFLOW_CN_API_KEY STEPFUN_API_KEY SUBCONSCIOUS_API_KEY SUBMODEL_INSTAGEN_ACCESS_KEY \
    SYNTHETIC_API_KEY TENCENT_CODING_PLAN_API_KEY TENCENT_TOKENHUB_API_KEY THEGRIDAI_API_KEY \
    TINFOIL_API_KEY TOGETHER_API_KEY UMANS_AI_API_KEY UMANS_AI_CODING_PLAN_API_KEY UPSTAGE_API_KEY \
    V0_API_KEY VENICE_API_KEY VIVGRID_API_KEY WAFER_API_KEY XAI_API_KEY XIAOMI_API_KEY XPERSONA_API_KEY \
    ZELDOC_API_KEY ZENMUX_API_KEY ZHIPU_API_KEY";

/// Accounts that open more than a model: they are given to an agent only where its model is there.
pub(super) const ACCOUNTS: [Cloud; 19] = [
    Cloud { used_when: UsedWhen::Model("amazon-bedrock"), variables: &["AWS_*"] },
    Cloud { used_when: UsedWhen::Model("azure"), variables: &["AZURE_*"] },
    Cloud { used_when: UsedWhen::Model("clarifai/"), variables: &["CLARIFAI_PAT"] },
    Cloud { used_when: UsedWhen::Model("cloudflare-"), variables: &["CLOUDFLARE_*"] },
    Cloud { used_when: UsedWhen::Model("databricks/"), variables: &["DATABRICKS_*"] },
    Cloud { used_when: UsedWhen::Model("digitalocean/"), variables: &["DIGITALOCEAN_ACCESS_TOKEN"] },
    Cloud { used_when: UsedWhen::Model("github-"), variables: &["GITHUB_TOKEN"] },
    Cloud { used_when: UsedWhen::Model("gitlab/"), variables: &["GITLAB_*"] },
    Cloud {
        used_when: UsedWhen::Model("google-vertex"),
        variables: &["GOOGLE_*", "GCLOUD_*", "CLOUDSDK_*", "GCP_PROJECT", "VERTEX_LOCATION"],
    },
    Cloud { used_when: UsedWhen::Model("huggingface/"), variables: &["HF_TOKEN"] },
    Cloud { used_when: UsedWhen::Model("modelscope/"), variables: &["MODELSCOPE_API_KEY"] },
    Cloud { used_when: UsedWhen::Model("neon/"), variables: &["NEON_AI_GATEWAY_*"] },
    Cloud { used_when: UsedWhen::Model("ovhcloud/"), variables: &["OVHCLOUD_API_KEY"] },
    Cloud { used_when: UsedWhen::Model("sap-ai-core/"), variables: &["AICORE_*"] },
    Cloud { used_when: UsedWhen::Model("scaleway/"), variables: &["SCALEWAY_API_KEY"] },
    Cloud { used_when: UsedWhen::Model("snowflake-cortex/"), variables: &["SNOWFLAKE_*"] },
    Cloud { used_when: UsedWhen::Model("stackit/"), variables: &["STACKIT_API_KEY"] },
    Cloud { used_when: UsedWhen::Model("vultr/"), variables: &["VULTR_API_KEY"] },
    Cloud { used_when: UsedWhen::Model("wandb/"), variables: &["WANDB_API_KEY"] },
];

/// Returns the keys that open a model and nothing else.
pub(super) fn model_keys() -> impl Iterator<Item = &'static str> {
    MODEL_KEYS.split_ascii_whitespace()
}
