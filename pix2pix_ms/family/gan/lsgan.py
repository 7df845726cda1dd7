"""LSGAN: the same game under least squares (Mao et al. 2017).

Cross-entropy is content with a generated image as soon as it lies on the right side of D's
boundary. Squares pull it to the boundary from either side (section 3.2, equation 9):

    min_D  E_x[(D(x) - 1)^2] / 2 + E_z[D(G(z))^2] / 2
    min_G  E_z[(D(G(z)) - 1)^2] / 2

D is a plain number here, no logit of a probability. The halves are left out, as everywhere: Adam
does not see them.
"""

from pix2pix_ms.family.gan.dcgan import DCGAN


class LSGAN(DCGAN):
    """DCGAN's networks and step; `LSGANConfig` has it minimise `objectives.lsgan`."""
