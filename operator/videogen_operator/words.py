"""What the words of a refusal mean. Hints only: status and code come first where a table says so."""

import re
from typing import Final

# Google: "violates our usage guidelines", "issue with the audio for your prompt", "real people"; OpenAI:
# "content_policy_violation", "moderation_blocked"; gateways in Chinese: 违规, 敏感, 内容安全, 审核.
_POLICY: Final = re.compile(
    r"safety|prohibited|content[ _-]?(policy|filter|violation)|polic(y|ies)[ _-]violation|moderation"
    r"|violat\w*[^.]{0,80}(polic|guideline|terms)|usage[ _-](guideline|polic)|responsible[ _]ai|\brai\b|raimedia"
    r"|nsfw|sensitive (word|content|information)|real (people|person)|(issue|problem)s? with the audio|audio issue"
    r"|inappropriate|celebrit|违规|违反|敏感|安全策略|内容安全|审核|不合规"
)
_ANY_POLICY: Final = re.compile(r"\bpolic(y|ies)\b")
_BALANCE: Final = re.compile(
    r"\bbalance\b|quota|\bcredits?\b|credit_balance|insufficient[ _](funds?|user)|payment required|spend_limit"
    r"|in arrears|余额|额度|欠费|配额|充值"
)
_MODEL: Final = re.compile(
    r"no longer available|model_not_found|\bnot_found\b|invalid model\b|no available channel|无可用渠道|模型不存在"
    r"|\bmodels?\b[^.]{0,160}\b"
    r"(not found|does not exist|do not exist|not exist|unavailable|not available|retired|shut ?down|deprecated)"
    r"|no (available )?channels?\b[^.]{0,80}\bmodel"
)
_PASSING: Final = re.compile(
    r"\binternal\b|capacity|high (load|demand)|overload|unavailable|resource_?exhausted|resource has been exhausted"
    r"|deadline|time[ds]?[ -]?out|try again|too many requests|rate limit|temporar|busy|aborted"
    r"|\b(4|8|10|13|14|429|500|502|503|504)$|任务超时|超时|负载|饱和|繁忙|稍后"
)


def speak_of_policy(words: str, *, any_policy: bool = False) -> bool:
    """Safety, usage policy, prohibited content. `any_policy` also takes the bare word, which proxies use too."""
    return bool(_POLICY.search(words)) or (any_policy and bool(_ANY_POLICY.search(words)))


def speak_of_balance(words: str) -> bool:
    """Money, quota or credit that has run out, in the languages of the gateways."""
    return bool(_BALANCE.search(words))


def speak_of_missing_model(words: str) -> bool:
    """A model that is gone, or that no channel of the gateway serves."""
    return bool(_MODEL.search(words))


def speak_of_passing_trouble(words: str) -> bool:
    """Capacity, internal errors, time-outs: the same request may work later."""
    return bool(_PASSING.search(words))
