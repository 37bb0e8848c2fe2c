"""Hold ordinary words of web traffic: what innocent padding is made of."""

from __future__ import annotations

WORDS: tuple[str, ...] = tuple(
    """
    about account active address agenda album amount animal annual answer apple archive arrival article artist
    author autumn avenue balance banner basket beach bicycle birthday blanket blog blue book booking bottle breakfast
    bridge brochure browser budget building business button calendar camera campaign career catalog category chair
    change chapter checkout choice city client coffee color comment company contact corner country coupon
    course cover customer daily dashboard delivery design detail digital dinner discount document domain download
    draft dress editor email employee engine english event evening example family favorite feature feedback
    festival figure finance flower forum friend furniture future gallery garden gift glass gold grade green guide
    harbor health history holiday home hotel image invoice island item jacket january journal journey kitchen
    label laptop lesson letter library light local lunch magazine market medium member message mobile
    monday month morning mountain museum music newsletter notebook office online opening orange order
    package page paper partner payment pencil people phone photo picture planet player portal poster price printer
    product profile project quality quarter question quiet rating reader recipe region report
    request review river road room sample school season section service shelf shipping shoes shop silver size small
    spring station status store story street student studio style subject summer sunday supplier support
    theme ticket today topic tour travel useful vacation video village visitor weather website weekend
    window winter wishlist women yellow
    """.split()
)
