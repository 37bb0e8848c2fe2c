"""Hold ordinary words of web traffic: what innocent padding is made of."""

from __future__ import annotations

WORDS: tuple[str, ...] = tuple(
    """
    about account active address agenda album amount animal annual answer apple archive arrival article artist
    author autumn avenue balance banana banner basket beach bicycle birthday blanket blog blue book booking bottle
    breakfast bridge brochure browser budget building business button calendar camera campaign career category chair
    chapter checkout choice city client coffee color company contact corner country coupon
    course cover customer daily dashboard delivery design detail digital dinner discount document domain download
    draft dress editor email employee engine english event evening example family favorite feature feedback
    festival figure finance flower forum friend furniture future gallery garden gift ginger glass gold grade green guide
    harbor health history holiday home hotel invoice island item jacket january journal journey kitchen
    laptop lesson letter library local lunch magazine market medium message mobile
    monday month morning mountain museum music newsletter notebook office opening orange
    package page paper partner payment pencil people phone photo picture planet player portal poster price printer
    product profile project quality quarter question quiet rating reader recipe region report
    request review river road room sample school season section service shelf shipping shoes shop silver small
    spring station status store story street student studio style subject summer sunday supplier support
    theme ticket today topic tour travel useful vacation video village visitor weather website weekend
    window winter wood wool writer yard wishlist women yellow
    """.split()
)
